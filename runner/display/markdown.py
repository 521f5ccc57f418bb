"""A sweep's comparison as Markdown, for a README or an issue."""

from __future__ import annotations

from collections.abc import Sequence

from runner.display.front import front_text
from runner.display.ranking import against_baseline, any_failed, columns, failed_text, rows
from runner.display.words import metric_name, noise_text, ratio_text, self_check_text, verdict_text, with_interval
from runner.record.metric_schema import MetricName, Metrics
from runner.record.sweep_schema import SweepJson

_COLUMNS: Sequence[MetricName] = ("images_per_s", "startup_s", "cpu_s_per_image", "peak_memory_mb")


def comparison_table(record: SweepJson) -> str:
    """The table for the content of a ``sweep.json``."""
    lines = _ranked(record)
    lines += [_escaped(text), ""] if (text := front_text(record)) else []
    failed = any_failed([point["metrics"] for point in record["points"]])
    titles = ["point", "images/s", "startup s", "CPU s an image", "memory MB", *(["failed"] if failed else []), "status"]
    lines += [_row(titles), _row(["---", *["---:"] * (len(titles) - 2), "---"])]
    for point in record["points"]:
        cells = [_cell(point["metrics"], name) for name in _COLUMNS]
        cells += [failed_text(point["metrics"])] if failed else []
        lines.append(_row([_escaped(point["name"]), *cells, point["status"]]))
    if record["comparisons"]:
        lines += ["", f"Against {_escaped(record['baseline'])}, paired by round:", ""]
        lines += ["| point | of | ratio [95 % interval] | verdict |", "|---|---|---:|---|"]
        for comparison in record["comparisons"]:
            words = [
                _escaped(comparison["point"]),
                metric_name(comparison["metric"]),
                ratio_text(comparison),
                verdict_text(comparison),
            ]
            lines.append(f"| {' | '.join(words)} |")
    else:
        lines += ["", "No verdicts against the baseline: this protocol does not give any."]
    if record["self_check"]:
        lines += ["", self_check_text(record["self_check"], trusted=record["trusted"]).capitalize() + "."]
    if (detectable_pct := record.get("detectable_pct")) is not None:
        lines += ["", noise_text(detectable_pct).capitalize() + "."]
    for warning in record["warnings"]:
        lines += ["", f"**Warning** ({warning['kind']}): {warning['message']}; {warning['advice']}."]
    return "\n".join(lines)


def _ranked(record: SweepJson) -> list[str]:
    """The answer, and every point as it stands."""
    answer = record.get("answer")
    if answer is None:
        return []
    lines = [f"**{_escaped(answer['text'])}**", ""]
    if against := against_baseline(record):
        lines += [_escaped(against), ""]
    if len(record.get("ranking", [])) > 1:
        titles = columns(record)
        lines += [_row(titles), _row(["---", *["---:"] * (len(titles) - 2), "---"])]
        lines += [*(_row([_escaped(cell) for cell in cells]) for cells in rows(record)), ""]
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(metrics: Metrics, name: MetricName) -> str:
    if name not in metrics:
        return "-"
    return with_interval(metrics[name])


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")
