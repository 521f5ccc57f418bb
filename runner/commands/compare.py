"""``runner compare FOLDER...``: compares points of one sweep or of several, from their records alone.

A verdict needs trials that were run next to each other, in the same rounds of the same session; where they were not, the
ratio of medians is shown, and why there is no verdict. Points of different hosts get one where it is asked for.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from runner.analysis.verdicts import COMPARED, Side, compared
from runner.display.console import console, print_line
from runner.display.words import metric_name, ratio_text, verdict_text
from runner.errors import RunnerError


@dataclass(frozen=True)
class Measured:
    """A point as its record has it.

    Attributes:
        label: its name, behind the folder of its sweep where several sweeps are compared.
        record: the content of its ``result.json``.
    """

    label: str
    record: Mapping[str, Any]

    @property
    def host(self) -> str:
        """The name of the host on which it was measured."""
        return str(self.record["environment"]["host"])


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a sweep, or of a point")
    parser.add_argument("--baseline", help="the label of the point to compare with; by default the first")
    parser.add_argument(
        "--compare-hosts",
        action="store_true",
        help="give verdicts on points of another host than the baseline's too: on machine and setting together",
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown instead of a table for the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    points = read_points(arguments.folders)
    rows = compare(points, chosen(points, arguments.baseline), across_hosts=arguments.compare_hosts)
    (_print_markdown if arguments.markdown else _print_table)(rows)
    return 0


def read_points(folders: Sequence[Path]) -> list[Measured]:
    """All points in ``folders``, in their order.

    Raises:
        RunnerError: a folder holds neither a sweep nor a point.
    """
    found: list[Measured] = []
    for folder in folders:
        if (folder / "sweep.json").is_file():
            sweep = _read(folder / "sweep.json")
            inside = [(point["name"], folder / point["folder"] / "result.json") for point in sweep["points"]]
        elif (folder / "result.json").is_file():
            config = _read(folder / "result.json")["config"]
            inside = [(f"{config['mode']['name']}-w{config['workers']}", folder / "result.json")]
        else:
            raise RunnerError(f"{folder}: holds neither a sweep (sweep.json) nor a point (result.json)")
        prefix = f"{folder.resolve().name}: " if len(folders) > 1 else ""
        found += [Measured(prefix + name, _read(path)) for name, path in inside if path.is_file()]
    return found


def chosen(points: Sequence[Measured], label: str | None) -> Measured:
    """The point with this label, or the first.

    Raises:
        RunnerError: there is none.
    """
    for point in points:
        if label in {None, point.label}:
            return point
    raise RunnerError(f"baseline={label}: is none of {', '.join(point.label for point in points)}")


def compare(points: Sequence[Measured], baseline: Measured, *, across_hosts: bool = False) -> list[dict[str, Any]]:
    """A row for each other point and compared metric: ``point``, ``metric``, ``ratio`` and ``verdict`` as texts.

    Where there are several hosts, points and baseline are shown with theirs.
    """
    others = [point for point in points if point is not baseline]
    if not others:
        raise RunnerError("there is one point only, and nothing to compare it with")
    rows = []
    for point in others:
        why_not = not_comparable(point.record, baseline.record, across_hosts=across_hosts)
        if why_not is None:
            mine, theirs = (Side(one.label, one.record["trials"], one.host) for one in (point, baseline))
            for comparison in compared(mine, theirs, len(others), across_hosts=across_hosts):
                found = comparison.record()
                hosts = f", {found['hosts'][0]} against {found['hosts'][1]}" if found["hosts"] else ""
                rows.append(_row(point, baseline, found["metric"], ratio_text(found), verdict_text(found) + hosts))
        else:
            rows += [
                _row(
                    point, baseline, metric, _ratio_of_medians(point.record, baseline.record, metric), f"no verdict: {why_not}"
                )
                for metric in COMPARED
            ]
    if len({point.host for point in points}) > 1:
        hosts_of = {point.label: f"{point.label} on {point.host}" for point in points}
        rows = [row | {side: hosts_of[row[side]] for side in ("point", "baseline")} for row in rows]
    return rows


def not_comparable(one: Mapping[str, Any], other: Mapping[str, Any], *, across_hosts: bool = False) -> str | None:
    """Why the two give no verdict, or None if they do."""
    if not one["metrics"] or not other["metrics"]:
        return "one of them has no trial that went well"
    if [image["sha256"] for image in one["images"]] != [image["sha256"] for image in other["images"]]:
        return "they did not have the same images"
    if one["environment"]["host"] != other["environment"]["host"]:
        return None if across_hosts else "they were measured on different hosts"
    sessions = [{(trial["session"], trial["round"]) for trial in record["trials"]} for record in (one, other)]
    if not sessions[0] & sessions[1]:
        return "they were not interleaved, so what the machine did meanwhile is in the ratio"
    return None


def _row(point: Measured, baseline: Measured, metric: str, ratio: str, verdict: str) -> dict[str, str]:
    return {"point": point.label, "baseline": baseline.label, "metric": metric_name(metric), "ratio": ratio, "verdict": verdict}


def _ratio_of_medians(one: Mapping[str, Any], other: Mapping[str, Any], metric: str) -> str:
    values = [record["metrics"].get(metric, {}).get("value") for record in (one, other)]
    return f"{values[0] / values[1]:.2f} x" if all(values) else "-"


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunnerError(f"{path}: cannot be read as a record: {error}") from error
    return content


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
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


def _print_markdown(rows: Sequence[Mapping[str, str]]) -> None:
    lines = [f"Against {rows[0]['baseline']}:", "", "| point | of | ratio | verdict |", "|---|---|---:|---|"]
    lines += [f"| {row['point']} | {row['metric']} | {row['ratio']} | {row['verdict']} |" for row in rows]
    print_line("\n".join(lines))
