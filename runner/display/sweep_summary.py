"""What the user sees at the end of a sweep, on stdout: what is wrong first, the answer and the ranking last."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runner.display.console import command_line, console, print_recorded, short
from runner.display.front import print_front
from runner.display.labels import room_for_names, shortened
from runner.display.ranking import any_failed, failed_text, print_ranking
from runner.display.words import metric_name, noise_text, ratio_text, self_check_text, verdict_text, with_interval
from runner.record.metric_schema import Metrics
from runner.record.point_schema import WarningRecord
from runner.record.sweep_schema import SweepJson


def print_sweep(record: SweepJson, folder: Path, *, everything: bool = False) -> None:
    """The failures, the warnings, the noise, the answer and where the points stand; and where it is recorded.

    Args:
        record: the content of its ``sweep.json``.
        folder: of the record.
        everything: whether every point is shown, and its figures and verdicts in every metric.
    """
    out = console()
    if everything:
        out.print(_points_table(record, out.width))
        _print_comparisons(out, record)
    _print_failures(out, record, folder)
    _print_warnings(out, record)
    _print_noise(out, record)
    print_ranking(out, record, everything=everything, more=f"all of it: {command_line('report', '--all', short(folder))}")
    print_front(out, record, everything=everything)
    print_recorded(folder)


def _points_table(record: SweepJson, width: int) -> Table:
    points = record["points"]
    baseline = next(point["metrics"] for point in points if point["name"] == record["baseline"]).get("images_per_s")
    base = None if baseline is None else baseline["value"]
    several_hosts = len({host for point in points if (host := point.get("host")) is not None}) > 1
    failed = any_failed([point["metrics"] for point in points])
    titles = ["point", "images/s", "speed-up", "startup s", "p50 ms", "CPU %", "memory MB", "rounds"]
    titles += [*(["failed"] if failed else []), *(["host"] if several_hosts else [])]
    table = Table(title=f"{len(points)} point{'' if len(points) == 1 else 's'}, medians over trials", title_justify="left")
    for title in titles:
        table.add_column(title, justify="left" if title in {"point", "host"} else "right", no_wrap=title == "point")
    rows = []
    for point in points:
        cells = _figures(point["metrics"], base)
        cells += [failed_text(point["metrics"])] if failed else []
        cells += [str(point.get("host"))] if several_hosts else []
        rows.append([point["name"] + ("" if point["error"] is None else f" {point['status']}"), *cells])
    room = room_for_names(rows, titles, width)
    for point, (_, *cells) in zip(points, rows, strict=True):
        status = "" if point["error"] is None else f" [red]{point['status']}[/]"
        space = room - (0 if point["error"] is None else len(point["status"]) + 1)
        table.add_row(escape(shortened(point["name"], max(1, space))) + status, *map(escape, cells))
    return table


def _figures(metrics: Metrics, base: float | None) -> list[str]:
    """The cells of a point's figures; ``base`` is the baseline's images per second."""
    if not metrics:
        return [*["-"] * 6, "0"]
    rate = metrics["images_per_s"]["value"]
    return [
        with_interval(metrics["images_per_s"]),
        f"{rate / base:.2f} x" if rate and base else "-",
        f"{metrics['startup_s']['value']:.3f}",
        f"{metrics['latency_p50_ms']['value']:.1f}",
        f"{metrics['cpu_utilization_pct']['value']:.0f}",
        f"{metrics['peak_memory_mb']['value']:.0f}",
        str(metrics["images_per_s"]["n"]),
    ]


def _print_comparisons(out: Console, record: SweepJson) -> None:
    if not record["comparisons"]:
        return
    table = Table(
        title=f"Against {escape(record['baseline'])}, paired by round; 95 % together for the objective, 95 % together for the other metrics",
        title_justify="left",
    )
    for title in ("point", "of", "ratio", "verdict"):
        table.add_column(title, justify="right" if title == "ratio" else "left")
    colours = {"faster": "green", "slower": "red", "same": "", "inconclusive": "yellow"}
    point = None
    for comparison in record["comparisons"]:
        if point not in {None, comparison["point"]}:
            table.add_section()
        colour = colours[comparison["verdict"]]
        words = f"[{colour}]{verdict_text(comparison)}[/]" if colour else verdict_text(comparison)
        words += f", {escape(' against '.join(hosts))}" if (hosts := comparison.get("hosts")) else ""
        voided = f" [dim]({len(comparison['voided_rounds'])} rounds without a pair)[/]" if comparison["voided_rounds"] else ""
        name = "" if comparison["point"] == point else escape(comparison["point"])
        point = comparison["point"]
        table.add_row(name, metric_name(comparison["metric"]), escape(ratio_text(comparison)), words + voided)
    out.print(table)


def _print_noise(out: Console, record: SweepJson) -> None:
    if record["comparisons"] and all(comparison["ratio"] is None for comparison in record["comparisons"]):
        out.print("[dim]No verdicts: the points were not measured next to each other.[/]")
    if record["self_check"]:
        style = "dim" if record["trusted"] else "bold red"
        out.print(escape(self_check_text(record["self_check"], trusted=record["trusted"])), style=style)
    if (detectable_pct := record.get("detectable_pct")) is not None:
        out.print(noise_text(detectable_pct), style="dim", markup=False)


def _print_failures(out: Console, record: SweepJson, folder: Path) -> None:
    failed = [(point, error) for point in record["points"] if (error := point["error"]) is not None]
    if not failed:
        return
    table = Table(title=f"{len(failed)} of {len(record['points'])} points did not finish", title_justify="left", style="red")
    for title in ("point", "status", "rounds done", "why", "log"):
        table.add_column(title, overflow="fold")
    for point, error in failed:
        done = point["metrics"]["images_per_s"]["n"] if point["metrics"] else 0
        why = f"{error['type']}: {error['message']}"
        log = short(folder / point["folder"] / "runner.log")
        table.add_row(escape(point["name"]), point["status"], f"{done} of {point['rounds']}", escape(why), escape(log))
    out.print(table)


def _print_warnings(out: Console, record: SweepJson) -> None:
    """Print each kind of warning once, with the points that have it."""
    kinds: dict[str, list[tuple[str, WarningRecord]]] = {}
    for point in record["points"]:
        for warning in point["warnings"]:
            kinds.setdefault(warning["kind"], []).append((point["name"], warning))
    for warning in record["warnings"]:
        out.print(f"Warning: {warning['message']}; {warning['advice']}", style="bold red", markup=False)
    for warned in kinds.values():
        names = ", ".join(label for label, _ in warned)
        where = "all points" if len(warned) == len(record["points"]) > 1 else names
        example = f" (such as {warned[0][0]})" if len({warning["message"] for _, warning in warned}) > 1 else ""
        first = warned[0][1]
        out.print(f"Note on {where}: {first['message']}{example}; {first['advice']}", style="yellow", markup=False)
