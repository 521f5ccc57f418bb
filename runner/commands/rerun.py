"""``runner rerun TARGET [key=value ...]``: runs a record again, and says whether the results agree.

TARGET is the folder of a point or of a sweep, or the id of an MLflow run or parent run. A record is data: its configuration is
checked like a command line, and no code that it names is run unasked.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runner.commands.allowing import add_allow
from runner.config.registry import BESIDE, keys_of
from runner.errors import ConfigurationError, RunnerError
from runner.record.reading import PointRecord, SweepRecord, read_folder

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("target", metavar="TARGET", help="the folder of a point or sweep, or the id of an MLflow run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="choices to change")
    add_allow(parser)
    parser.add_argument("--uri", help="the MLflow tracking URI of the run with this id; by default the store in outputs/")


def run(arguments: argparse.Namespace) -> int:
    """Run the record again; returns the exit status."""
    return rerun(arguments.target, arguments.overrides, arguments.uri, frozenset(arguments.allow))


def rerun(target: str, overrides: Sequence[str], uri: str | None, allowed: frozenset[str] = frozenset()) -> int:
    """Run what ``target`` names again; returns the exit status.

    Raises:
        RunnerError: there is no such record, or it cannot be run.
    """
    from runner.tracking.credentials import uri_without_credentials

    refused = {*BESIDE, *keys_of(lambda role: not role.rerun)}
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~").partition(".")[0]
        if "=" not in word or key in refused:
            raise ConfigurationError(
                key, word, "cannot be chosen for a rerun", "key=value, or group=option, of the program's own"
            )
    uri = None if uri is None else uri_without_credentials(uri)
    with _original(target, uri) as original:
        from runner.sweeps.repeat import prepared, repeat

        points = prepared(original, [*_tracking(original, target, uri), *overrides], allowed)
        leave = [f"--allow={kind}" for kind in sorted(allowed)]
        return repeat(original, points, [target, *([f"--uri={uri}"] if uri else []), *leave, *overrides])


@contextlib.contextmanager
def _original(target: str, uri: str | None) -> Iterator[PointRecord | SweepRecord]:
    """The record to run again; one from MLflow lies in a temporary folder meanwhile."""
    folder = Path(os.path.expanduser(target))  # noqa: PTH111  (pathlib's raises where there is no home)
    if folder.is_dir():
        yield _read(folder.absolute())
    elif _RUN_ID.fullmatch(target):
        from runner.tracking.fetch import fetch
        from runner.tracking.store import database_uri

        with tempfile.TemporaryDirectory(prefix="runner-rerun-") as into:
            yield _read(fetch(target, uri or os.environ.get("MLFLOW_TRACKING_URI") or database_uri(), Path(into)))
    else:
        accepted = "the folder of a point or of a sweep, or the id of an MLflow run (32 hexadecimal digits)"
        raise ConfigurationError("TARGET", target, "is neither a folder nor the id of a run", accepted)


def _read(folder: Path) -> PointRecord | SweepRecord:
    record = read_folder(folder)
    if isinstance(record, PointRecord) or (record is not None and record.measured):
        return record
    raise RunnerError(f"{folder}: no trial of it has been measured")


def _tracking(original: PointRecord | SweepRecord, target: str, uri: str | None) -> list[str]:
    """The choice of where the rerun is recorded: in the store that holds the original. A server that a folder's record names is not contacted."""
    from runner.config.restore import quoted

    first: Any = (original.measured[0] if isinstance(original, SweepRecord) else original).record["config"].get("tracking")
    first = first if isinstance(first, dict) else {}
    if uri is not None and not Path(target).is_dir():
        chosen = ["tracking=server", f"tracking.uri={quoted('tracking.uri', uri)}"]
    elif first.get("name") == "none":
        return ["tracking=none"]
    else:
        chosen = ["tracking=sqlite"]
    return [*chosen, f"tracking.experiment={quoted('tracking.experiment', first.get('experiment', 'image-pipeline'))}"]
