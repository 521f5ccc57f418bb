"""``runner gate [key=value ...] --old WORDS --new WORDS --fail-if LIMIT``: says whether a change has made a pipeline worse, for a CI to act on.

Both sides are measured on this machine now, in turns, until it is proven that new is worse than a limit, or that it is not. Exit status: 0 not worse,
1 worse, 2 nothing decided because something failed, 3 not known within the budget.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from runner.commands.allowing import add_allow
from runner.commands.one_configuration import check_of_one
from runner.config.restore import with_overrides
from runner.disk import make_folder, write_atomically
from runner.errors import ConfigurationError
from runner.files import check_folder
from runner.secrets import masked_override
from runner.sweeps import exit_status
from runner.sweeps.hydra_run import refuse_words
from runner.tracking.credentials import credentials_to_environment

if TYPE_CHECKING:  # what a refusal does not need is loaded after it
    from runner.analysis.gating import Limit
    from runner.record.gating_schema import GateJson
    from runner.record.reading import PointRecord

_LIMIT = "images_per_s<0.95"
_BUDGET_S = 600.0

# The files that can be written, by the option that names one.
_FILES = {"junit": "JUnit's XML", "markdown": "Markdown, for a comment", "json": "JSON"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="the configuration of both sides, as for a run")
    parser.add_argument("--old", metavar="WORDS", help="what is so in old only, in one quoted text: 'mode=thread workers=4'")
    parser.add_argument("--new", metavar="WORDS", help="what is so in new only")
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="FOLDER",
        help="the folder of a point whose configuration both sides begin from; it is run anew",
    )
    parser.add_argument(
        "--fail-if",
        action="append",
        metavar="LIMIT",
        help=f"what is worse, as a ratio of new to old, again for each metric; '{_LIMIT}' if not given; 'peak_memory_mb>1.05'",
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=_BUDGET_S,
        metavar="SECONDS",
        help=f"seconds of trials after which no round is begun; {_BUDGET_S:g} if not given",
    )
    for name, what in _FILES.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"also write the outcome as {what}")
    add_allow(parser, "the record of --baseline")


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and write; returns the exit status."""
    if not (math.isfinite(arguments.budget) and arguments.budget > 0):
        raise ConfigurationError("--budget", f"{arguments.budget:g}", "is out of range", "a number of seconds above 0")
    files = {name: path for name in _FILES if (path := getattr(arguments, name)) is not None}
    for name, path in files.items():
        _check_file(f"--{name}", path.absolute())
    old, new = _words("--old", arguments.old), _words("--new", arguments.new)
    if arguments.old is None and arguments.new is None and arguments.baseline is None:
        raise ConfigurationError("--new", None, "is missing: there is nothing to compare", "--old WORDS, --new WORDS or both")
    for word in [*arguments.overrides, *old, *new]:
        check_of_one(word, "a gate")
    both = credentials_to_environment(arguments.overrides)
    baseline = None if arguments.baseline is None else _baseline(arguments.baseline)
    if baseline is None:
        _refuse_sides(both, old=old, new=new)
    limits = _limits(arguments.fail_if or [_LIMIT])
    from runner.display.console import print_recorded
    from runner.display.gate import gate_junit, gate_markdown, print_gate
    from runner.sweeps.gating import Asked, gate

    asked = Asked(limits, arguments.budget, both, old, new, baseline, frozenset(arguments.allow))
    record = gate(asked, _command(arguments, both, old, new))
    print_gate(record)
    print_recorded(Path(record["folder"]))
    texts: dict[str, Callable[[GateJson], str]] = {"junit": gate_junit, "markdown": gate_markdown, "json": _json}
    for name, path in files.items():
        make_folder(path.absolute().parent)
        write_atomically(path.absolute(), partial(_write, texts[name](record)))
    went_wrong = record["exit_status"] == exit_status.OK != exit_status.current()
    return exit_status.BROKEN if went_wrong else record["exit_status"]


def _write(text: str, file: IO[str]) -> None:
    file.write(text)


def _json(record: GateJson) -> str:
    return json.dumps(record, indent=1, allow_nan=False) + "\n"


def _refuse_sides(both: Sequence[str], **sides: Sequence[str]) -> None:
    """Refuse a side where what is wrong with it shows before anything is measured or loaded."""
    for side, own in sides.items():
        try:
            refuse_words(with_overrides(both, own))
        except ConfigurationError as error:
            raise ConfigurationError(f"{side}: {error.key}", error.given, error.reason, error.accepted) from error


def _limits(texts: Sequence[str]) -> list[Limit]:
    from runner.analysis.gating import limit_of

    limits = [limit_of(text) for text in texts]
    for place, limit in enumerate(limits):
        if limit.metric in {one.metric for one in limits[:place]}:
            raise ConfigurationError("--fail-if", limit, f"{limit.metric} has a limit already", "one limit for each metric")
    return limits


def _words(option: str, text: str | None) -> list[str]:
    """The words in one quoted text."""
    try:
        return shlex.split(text or "")
    except ValueError as error:
        raise ConfigurationError(option, text, f"cannot be read: {error}", "key=value ..., quoted as in a shell") from error


def _check_file(option: str, path: Path) -> None:
    if path.is_dir():
        raise ConfigurationError(option, path, "is a folder", "the path of a file")
    check_folder(option, path.parent)


def _baseline(folder: Path) -> PointRecord:
    from runner.record.reading import PointRecord, read_folder

    record = read_folder(folder.expanduser().absolute()) if folder.is_dir() else None
    if not isinstance(record, PointRecord):
        raise ConfigurationError(
            "--baseline", folder, "is no record of a point", "the folder of a point, in which there is a result.json"
        )
    return record


def _command(arguments: argparse.Namespace, both: Sequence[str], old: Sequence[str], new: Sequence[str]) -> list[str]:
    """The words of the command line, without secrets."""
    words = ["gate", *map(masked_override, both)]
    for option, side in (("--old", old), ("--new", new)):
        words += [option, shlex.join(map(masked_override, side))] if side else []
    words += [] if arguments.baseline is None else ["--baseline", str(arguments.baseline)]
    words += [f"--fail-if={limit}" for limit in arguments.fail_if or ()]
    words += [f"--allow={kind}" for kind in arguments.allow]
    return [*words, f"--budget={arguments.budget:g}"]
