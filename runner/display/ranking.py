"""Where the points of a sweep stand: the same columns in the terminal, in Markdown and in the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runner.display.labels import room_for_names, shortened
from runner.display.words import metric_name, ratio_text, with_interval
from runner.record.metric_schema import MetricName, Metrics, MetricSummary
from runner.record.per_cent import pct_text
from runner.record.sweep_schema import ComparisonRecord, RankedRecord, SweepJson

# So many points are shown, unless all are asked for.
SHOWN = 12

# What was asked for by the name of a criterion, as a heading; otherwise the criterion is the name of a metric.
_ASKED = {"throughput": "images/s", "latency": "p95 ms", "memory": "memory MB", "cost": "CPU s an image"}
_COSTS: Sequence[tuple[MetricName, str, float]] = (
    ("cpu_s_per_image", "CPU ms an image", 1e3),
    ("peak_memory_mb", "memory MB", 1),
    ("startup_s", "ready in s", 1),
)
_IMAGES: tuple[Literal["images_ok"], Literal["images_failed"]] = ("images_ok", "images_failed")
_FED: Literal["accelerator_utilization_pct"] = "accelerator_utilization_pct"
_STATES = {"leader": "leader", "may_be_best": "may be best", "out": "out"}
_STYLES = {"leader": "bold green", "may_be_best": "", "out": "dim"}
_PAID: Mapping[MetricName, str] = {"cpu_s_per_image": "the CPU time an image", "peak_memory_mb": "the memory"}


def columns(record: SweepJson) -> list[str]:
    """The headings; the first is of text, the last too, those between are of numbers."""
    answer = record.get("answer")
    asked = "value" if answer is None else _ASKED.get(answer["criterion"], answer["criterion"])
    failed = ["failed"] if _images_failed(record) else []
    fed = ["accelerator %"] if _consumed(record) else []
    hosts = ["host"] if _several_hosts(record) else []
    return [
        "point",
        asked,
        "the best is better by at most",
        *(title for _, title, _ in _COSTS),
        *fed,
        *failed,
        *hosts,
        "stands",
    ]


def rows(record: SweepJson) -> list[list[str]]:
    """The cells of each point, the best first."""
    metrics = {point["name"]: point["metrics"] for point in record["points"]}
    hosts = {point["name"]: str(point.get("host")) for point in record["points"]} if _several_hosts(record) else {}
    return [
        [
            one["point"],
            with_interval({"value": one["value"], "low": one["low"], "high": one["high"], "n": 0}),
            bound_text(one),
            *(_cost(metrics.get(one["point"], {}).get(name), factor) for name, _, factor in _COSTS),
            *([_cost(metrics.get(one["point"], {}).get(_FED), 1)] if _consumed(record) else []),
            *([failed_text(metrics.get(one["point"], {}))] if _images_failed(record) else []),
            *([hosts[one["point"]]] if hosts else []),
            stands(one),
        ]
        for one in record.get("ranking", [])
    ]


def print_ranking(out: Console, record: SweepJson, *, everything: bool = False, more: str = "") -> None:
    """The answer, then a line for each point, at most ``SHOWN`` unless ``everything`` is asked for; ``more`` says where the rest is."""
    answer = record.get("answer")
    ranking = record.get("ranking", [])
    if answer is None:
        return
    out.print(answer["text"], style="bold", markup=False, soft_wrap=True)
    if against := against_baseline(record):
        out.print(against, markup=False, soft_wrap=True)
    if len(ranking) < 2:
        return
    table = Table()
    *first, last = columns(record)
    for title in first:
        table.add_column(title, justify="left" if title == "point" else "right", no_wrap=title == "point")
    table.add_column(last)
    every = rows(record)
    shown = every if everything else every[:SHOWN]
    room = room_for_names(shown, columns(record), out.width)
    for one, (name, *cells) in zip(ranking, shown, strict=False):
        table.add_row(*map(escape, (shortened(name, room), *cells)), style=_STYLES[one["state"]])
    out.print(table)
    if rest := ranking[len(shown) :]:
        out.print(f"{folded(rest)}; {more}" if more else folded(rest), style="dim", markup=False, soft_wrap=True)


def folded(rest: Sequence[RankedRecord]) -> str:
    """The points that are not shown, in a line."""
    counts = {word: sum(one["state"] == state for one in rest) for state, word in _STATES.items()}
    states = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    values = [one["value"] for one in rest if one["value"] is not None]
    span = f", {min(values):.4g} to {max(values):.4g}" if values else ""
    return f"and {len(rest)} more: {states}{span}"


def bound_text(one: RankedRecord) -> str:
    """How far the best may be above the point: ``3.1 %``."""
    bound = one["below_best_at_most_pct"]
    return "unknown" if bound is None else pct_text(bound)


def stands(one: RankedRecord) -> str:
    """Where the point stands: ``out in round 5``."""
    rounds = one["out_in_round"]
    return _STATES[one["state"]] + ("" if rounds is None else f" in round {rounds}")


def against_baseline(record: SweepJson) -> str:
    """How much faster than the baseline the leader is, and at what cost, where that is proven; otherwise empty."""
    answer = record.get("answer")
    best = None if answer is None else answer["best"]
    compared: dict[MetricName, ComparisonRecord] = {one["metric"]: one for one in record["comparisons"] if one["point"] == best}
    primary = next(iter(compared.values()), None)
    if primary is None or primary["verdict"] != "faster":
        return ""
    said = f"{best} has {ratio_text(primary).replace(' x', ' times')} the {metric_name(primary['metric'])} of {primary['baseline']}"
    paid = [
        f"{compared[metric]['ratio']:.3g} times {what}"
        for metric, what in _PAID.items()
        if metric in compared and compared[metric]["verdict"] in {"faster", "slower"}
    ]
    return f"{said}, with {' and '.join(paid)}." if paid else f"{said}."


def failed_text(metrics: Metrics) -> str:
    """How many of an epoch's images failed: ``21 of 60``."""
    ok, failed = (metrics.get(name, {}).get("value") for name in _IMAGES)
    return "-" if ok is None or failed is None else f"{failed:.0f} of {ok + failed:.0f}"


def _images_failed(record: SweepJson) -> bool:
    return any_failed([point["metrics"] for point in record["points"]])


def _consumed(record: SweepJson) -> bool:
    """Whether a consumer was fed, and its utilization is not what was asked for, which has a column anyway."""
    answer = record.get("answer")
    asked = answer is not None and answer["criterion"] == _FED
    return not asked and any(_FED in point["metrics"] for point in record["points"])


def any_failed(points: Sequence[Metrics]) -> bool:
    """Whether images of any of these points failed."""
    return any(metrics.get("images_failed", {}).get("value") for metrics in points)


def _several_hosts(record: SweepJson) -> bool:
    return len({host for point in record["points"] if (host := point.get("host")) is not None}) > 1


def _cost(metric: MetricSummary | None, factor: float) -> str:
    return "-" if metric is None or metric["value"] is None else f"{metric['value'] * factor:.3g}"
