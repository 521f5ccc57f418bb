"""``runner compare FOLDER...``: compares points of one sweep or of several, from their records alone.

A verdict needs trials that were run next to each other, in the same rounds of the same sweep. Without such trials, the ratio of
medians is shown, and why there is no verdict. Points of different hosts get verdicts only with --compare-hosts, and over at least three sessions.

Several FOLDERs with runs of the same sweep are its sessions. Each session is one value, and with three or more sessions the verdicts hold beyond
them.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from rich.markup import escape
from rich.table import Table

from runner.analysis.verdicts import COMPARED, Side, compare_points, compare_sessions
from runner.display.console import console, print_line
from runner.display.words import metric_name, ratio_text, verdict_text
from runner.errors import RunnerError
from runner.record.metric_schema import MetricName
from runner.record.point_schema import ResultJson
from runner.record.reading import PointRecord, SweepRecord, read_folder, value_of
from runner.record.sweep_schema import ComparisonRecord


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep, or of a point")
    parser.add_argument("--baseline", help="the label of the point to compare with; by default the first")
    parser.add_argument(
        "--compare-hosts",
        action="store_true",
        help="give verdicts between points of different hosts too: such a ratio is one of machine and setting together",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of a table for the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    sweeps, across_hosts = sessions_of(arguments.folders), arguments.compare_hosts
    if sweeps is not None:
        rows = compare_over_sessions(sweeps, arguments.baseline, across_hosts=across_hosts)
    else:
        points = read_points(arguments.folders)
        rows = compare(points, baseline_of(points, arguments.baseline), across_hosts=across_hosts)
    (_print_markdown if arguments.markdown else _print_table)(rows)
    return 0


def read_points(folders: Sequence[Path]) -> list[PointRecord]:
    """All points in ``folders``, in their order. With several folders, each label begins with the name of its folder.

    Raises:
        RunnerError: a folder holds neither a sweep nor a point, or a record that cannot be read.
    """
    points: list[PointRecord] = []
    for folder in folders:
        record = read_folder(folder)
        inside = record.measured if isinstance(record, SweepRecord) else [record] if record is not None else []
        prefix = f"{folder.resolve().name}: " if len(folders) > 1 else ""
        points += [replace(point, label=prefix + point.label) for point in inside]
    return points


def baseline_of(points: Sequence[PointRecord], label: str | None) -> PointRecord:
    """The point with this label, or the first.

    Raises:
        RunnerError: there is none.
    """
    for point in points:
        if label in {None, point.label}:
            return point
    if label is None:
        raise RunnerError("no point in these folders has a trial, so there is nothing to compare")
    raise RunnerError(f"--baseline={label}: there is no such point\n  accepted: {', '.join(point.label for point in points)}")


class Row(TypedDict):
    """A point against the baseline in one metric, in words."""

    point: str
    baseline: str
    metric: str
    ratio: str
    verdict: str


def compare(points: Sequence[PointRecord], baseline: PointRecord, *, across_hosts: bool = False) -> list[Row]:
    """A row for each other point and compared metric. With several hosts, each point is shown with its own."""
    others = [point for point in points if point is not baseline]
    if not others:
        raise RunnerError("there is only one point, so there is nothing to compare it with")
    hosts = {point.host for point in points}
    shown = {point.label: f"{point.label} on {point.host}" if len(hosts) > 1 else point.label for point in points}
    reasons = {point.label: not_comparable(point.record, baseline.record, across_hosts=across_hosts) for point in others}
    judged = compare_points(
        [side_of(point) for point in others if reasons[point.label] is None],
        side_of(baseline),
        comparisons=len(others),
        across_hosts=across_hosts,
    )
    rows: list[Row] = []
    for point in others:
        texts = [_texts(comparison.record()) for comparison in judged if comparison.point == point.label]
        if why_not := reasons[point.label]:
            texts = [(metric, _ratio_of_medians(point, baseline, metric), f"no verdict: {why_not}") for metric in COMPARED]
        rows += [_row(shown[point.label], shown[baseline.label], *text) for text in texts]
    return rows


def _row(point: str, baseline: str, metric: MetricName, ratio: str, verdict: str) -> Row:
    return Row(point=point, baseline=baseline, metric=metric_name(metric), ratio=ratio, verdict=verdict)


def side_of(point: PointRecord) -> Side:
    """The point as ``compare_points`` takes it."""
    return Side(point.label, point.record["trials"], point.host)


def sessions_of(folders: Sequence[Path]) -> list[SweepRecord] | None:
    """The sweeps in these folders if they are sessions of one sweep, with the same points and configurations; otherwise None.

    Raises:
        RunnerError: a folder holds neither a sweep nor a point, or a record that cannot be read.
    """
    records = [read_folder(folder) for folder in folders]
    sweeps = [record for record in records if isinstance(record, SweepRecord)]
    if len(sweeps) < 2 or len(sweeps) < len(records):
        return None
    points = [{(point.label, point.record["config_hash"]) for point in sweep.measured} for sweep in sweeps]
    return sweeps if points[0] and all(one == points[0] for one in points) else None


def compare_over_sessions(sweeps: Sequence[SweepRecord], baseline: str | None, *, across_hosts: bool = False) -> list[Row]:
    """The same rows for several sessions of one sweep. Each session is one value, so the verdicts hold beyond these sessions.

    Raises:
        RunnerError: there is no point ``baseline``, or there is only one point.
    """
    base = baseline_of(sweeps[0].measured, baseline).label
    by_label = [{point.label: side_of(point) for point in sweep.measured} for sweep in sweeps]
    others = [label for label in by_label[0] if label != base]
    if not others:
        raise RunnerError("there is only one point, so there is nothing to compare it with")
    judged = compare_sessions(
        {label: [sides[label] for sides in by_label] for label in others},
        [sides[base] for sides in by_label],
        across_hosts=across_hosts,
    )
    return [_row(one.point, one.baseline, *_texts(one.record())) for one in judged]


def not_comparable(one: ResultJson, other: ResultJson, *, across_hosts: bool = False) -> str | None:
    """Why there can be no verdict on the two; None if there can be one."""
    if not one["metrics"] or not other["metrics"]:
        return "one of them has no trial that went well"
    if [image["sha256"] for image in one["images"]] != [image["sha256"] for image in other["images"]]:
        return "they did not have the same images"
    if one["environment"]["host"] != other["environment"]["host"]:
        return None if across_hosts else "they were measured on different hosts"
    if any(record["config"].get("protocol", {}).get("race") for record in (one, other)):
        return "they raced, and ended by what was seen; the bounds that hold then are in the sweep's own answer"
    blocks = [{(trial["session"], trial["round"]) for trial in record["trials"]} for record in (one, other)]
    if not blocks[0] & blocks[1]:
        return "they were not interleaved, so the ratio also contains what changed on the machine between them"
    return None


def _texts(comparison: ComparisonRecord) -> tuple[MetricName, str, str]:
    """The metric, the ratio and the verdict."""
    hosts = comparison.get("hosts")
    between = f", {hosts[0]} against {hosts[1]}" if hosts else ""
    over = (
        f", over {sessions} sessions"
        if (sessions := comparison.get("sessions")) and comparison["verdict"] != "inconclusive"
        else ""
    )
    return comparison["metric"], ratio_text(comparison), verdict_text(comparison) + over + between


def _ratio_of_medians(one: PointRecord, other: PointRecord, metric: MetricName) -> str:
    mine, theirs = value_of(one, metric), value_of(other, metric)
    return f"{mine / theirs:.2f} x" if mine and theirs else "-"


def _print_table(rows: Sequence[Row]) -> None:
    table = Table(title=f"Against {escape(rows[0]['baseline'])}", title_justify="left")
    for name in ("point", "metric", "ratio", "verdict"):
        table.add_column("of" if name == "metric" else name)
    last = None
    for row in rows:
        if last not in {None, row["point"]}:
            table.add_section()
        table.add_row(
            "" if row["point"] == last else escape(row["point"]), row["metric"], escape(row["ratio"]), escape(row["verdict"])
        )
        last = row["point"]
    console().print(table)


def _print_markdown(rows: Sequence[Row]) -> None:
    lines = [f"Against {rows[0]['baseline']}:", "", "| point | of | ratio | verdict |", "|---|---|---:|---|"]
    lines += [f"| {row['point']} | {row['metric']} | {row['ratio']} | {row['verdict']} |" for row in rows]
    print_line("\n".join(lines))
