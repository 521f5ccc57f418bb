"""``runner decide FILE``: says which point is best, from values that another program has measured, by the analysis of a sweep.

FILE is a CSV file with the columns point, round, value and perhaps session, or the JSON of pyperf, hyperfine or google/benchmark. Values of one
round (and session) must have been measured next to each other, so that changes of the machine are not in their ratio. With three sessions or
more, each session is one value, and the answer holds beyond these sessions. Several files are read as one; the name of each point then begins
with the name of its file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from runner.analysis.elsewhere import ACCEPTED, BadFile, Measured, measured_elsewhere
from runner.display.console import console, print_line
from runner.display.words import ratio_text, verdict_text, with_interval
from runner.errors import RunnerError
from runner.record.per_cent import pct_text
from runner.record.sweep_schema import RankedRecord

if TYPE_CHECKING:  # NumPy comes with it, which a refusal does not need
    from runner.analysis.decision import Decision

# The most points that are shown without --all.
_SHOWN = 12

_STATES = {"leader": "leader", "may_be_best": "may be best", "out": "out"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=ACCEPTED)
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--higher", action="store_true", help="a higher value is better, such as images a second")
    direction.add_argument(
        "--lower", action="store_true", help="a lower value is better, such as seconds; the default for JSON files"
    )
    parser.add_argument("--baseline", help="the point to compare with; by default the first")
    parser.add_argument(
        "--indifference",
        type=float,
        default=0.05,
        help="a point counts as good if it is at most this much below the best; 0.05 is 5 %%",
    )
    parser.add_argument(
        "--race",
        action="store_true",
        help="for values whose measuring was stopped, or points of which dropped out, because of the results",
    )
    parser.add_argument("--all", action="store_true", help=f"show all points, not only {_SHOWN}")
    parser.add_argument("--json", action="store_true", help="print answer, ranking and comparisons as sweep.json has them")


def run(arguments: argparse.Namespace) -> int:
    """Print the answer."""
    measured = read(arguments.files)
    from runner.analysis.decision import check_question, decide

    check_question(measured, indifference=arguments.indifference, baseline=arguments.baseline, before="--")
    decision = decide(
        measured,
        more_is_better=_more_is_better(arguments, measured),
        indifference=arguments.indifference,
        baseline=arguments.baseline,
        raced=arguments.race,
    )
    if arguments.json:
        print_line(json.dumps(decision.record(), indent=1, allow_nan=False))
    else:
        _print(decision, everything=arguments.all)
    return 0


def read(files: Sequence[Path]) -> Measured:
    """The values in the files.

    Raises:
        RunnerError: one cannot be read; the message names the wrong line.
    """
    parts = [(path, _read(path)) for path in files]
    if len(parts) == 1:
        return parts[0][1]
    points = {}
    for path, part in parts:
        for name, values in part.points.items():
            label = f"{path.stem}: {name}"
            if label in points:
                raise RunnerError(f"{path}: {label} is in another file already\n  accepted: files of different names")
            points[label] = values
    directions = {part.lower_is_better for _, part in parts}
    notes = [*dict.fromkeys(note for _, part in parts for note in part.notes), "the files were measured one after the other"]
    return Measured(points, lower_is_better=directions.pop() if len(directions) == 1 else None, notes=notes)


def _read(path: Path) -> Measured:
    try:
        return measured_elsewhere(path.read_text(encoding="utf-8"))
    except BadFile as error:
        raise RunnerError(f"{path}, line {error.line}: {error.why}\n  accepted: {ACCEPTED}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise RunnerError(f"{path}, line {line}: is no text in UTF-8\n  accepted: {ACCEPTED}") from error
    except OSError as error:
        raise RunnerError(f"{path}: cannot be read: {error.strerror}\n  accepted: {ACCEPTED}") from error


def _more_is_better(arguments: argparse.Namespace, measured: Measured) -> bool:
    if arguments.higher or arguments.lower:
        return bool(arguments.higher)
    if measured.lower_is_better is None:
        raise RunnerError("--higher or --lower: a table of values does not say which is better\n  accepted: one of the two")
    return not measured.lower_is_better


def _print(decision: Decision, *, everything: bool) -> None:
    out, ranking = console(), decision.conclusion.ranking
    out.print(decision.conclusion.answer["text"], style="bold", markup=False, soft_wrap=True)
    compared = {one.point: one for one in decision.comparisons}
    baseline = decision.comparisons[0].baseline if decision.comparisons else ""
    table = Table()
    for title in ("point", "median", "the best is better by at most", "state", f"of {baseline}", "verdict"):
        table.add_column(escape(title), justify="right" if title.startswith(("median", "the best")) else "left")
    shown = ranking if everything else ranking[:_SHOWN]
    for one in shown:
        comparison = compared.get(one["point"])
        record = None if comparison is None else decision.record()["comparisons"][decision.comparisons.index(comparison)]
        against = ("-", "baseline") if record is None else (ratio_text(record), verdict_text(record))
        median = with_interval({"value": one["value"], "low": one["low"], "high": one["high"], "n": 0})
        bound = one["below_best_at_most_pct"]
        table.add_row(
            escape(one["point"]), median, "unknown" if bound is None else pct_text(bound), _state(one), *map(escape, against)
        )
    if len(ranking) > 1:
        out.print(table)
    if len(shown) < len(ranking):
        out.print(f"and {len(ranking) - len(shown)} more; --all shows them", style="dim")
    for note in decision.notes:
        out.print(f"Note: {note}", style="yellow", markup=False, soft_wrap=True)


def _state(one: RankedRecord) -> str:
    rounds = one["out_in_round"]
    return _STATES[one["state"]] + ("" if rounds is None else f" in round {rounds}")
