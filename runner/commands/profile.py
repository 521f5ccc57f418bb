"""``runner profile [FOLDER] [key=value ...]``: shows where the time of a configuration goes, from stacks that py-spy samples in one more trial.

The configuration is that of a record, the folder of a point, or that of the words, as for a run. The trial is not timed and changes no result. A flame graph and the
stacks are written into the record's folder and logged to its run in MLflow; without a record, or with other choices than its own, into a folder of their own.
A record is data: no code that it names is run, and no server contacted, unasked.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.allowing import add_allow
from runner.commands.one_configuration import check_of_one
from runner.errors import ConfigurationError
from runner.host.py_spy import py_spy
from runner.sweeps import exit_status
from runner.sweeps.hydra_run import refuse_words

if TYPE_CHECKING:  # what a refusal does not need is loaded after it
    from runner.record.reading import PointRecord

_SECONDS = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="of a point, whose configuration is run")
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="the configuration, as for a run; or choices to change"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=_SECONDS,
        help=f"how long to look, for which the trial has as many epochs as that takes; {_SECONDS:g} if not given",
    )
    add_allow(parser)
    parser.add_argument("--uri", help="the MLflow tracking URI of the record's run; by default the store in outputs/")


def run(arguments: argparse.Namespace) -> int:
    """Run the trial, print what it was seen doing, and write the files; returns the exit status."""
    if not (math.isfinite(arguments.seconds) and arguments.seconds > 0):
        raise ConfigurationError("--seconds", f"{arguments.seconds:g}", "is out of range", "a number of seconds above 0")
    folder, overrides = arguments.folder, list(arguments.overrides)
    if folder is not None and "=" in folder and not Path(folder).is_dir():
        folder, overrides = None, [folder, *overrides]
    for word in overrides:
        check_of_one(word, "a profile")
    program = py_spy()
    record = None if folder is None else _record(Path(folder))
    if record is None:
        refuse_words(overrides)
    from runner.commands.show_profile import print_profile
    from runner.sweeps.profiling import log_to_the_run_of, profile

    profiled = profile(program, record, overrides, arguments.seconds, frozenset(arguments.allow))
    print_profile(profiled.found, profiled.what, profiled.folder)
    if record is not None and profiled.folder == record.folder:
        from runner.tracking.credentials import uri_without_credentials

        log_to_the_run_of(record, profiled.folder, None if arguments.uri is None else uri_without_credentials(arguments.uri))
    return exit_status.current()


def _record(folder: Path) -> PointRecord:
    from runner.record.reading import PointRecord, read_folder

    record = read_folder(folder.expanduser().absolute()) if folder.is_dir() else None
    if not isinstance(record, PointRecord):
        accepted = "the folder of a point, in which there is a result.json, or key=value ..."
        raise ConfigurationError("FOLDER", folder, "is no record of a point", accepted)
    return record
