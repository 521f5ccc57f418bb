"""``runner rerun TARGET [key=value ...]``: runs a record again, and says whether it comes out as it did.

TARGET is the folder of a point or of a sweep, or the id of an MLflow run or parent run. The record is data: its configuration is
checked like any command line, and nothing in it is executed.
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

from runner.config.registry import BESIDE, keys_of
from runner.errors import ConfigurationError, RunnerError
from runner.record.reading import SWEEP, PointRecord, SweepRecord, read_point, read_sweep

_RUN_ID = re.compile(r"[0-9a-f]{32}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("target", metavar="TARGET", help="the folder of a point or sweep, or the id of an MLflow run")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="choices to make differently")
    parser.add_argument("--uri", help="the MLflow tracking URI in which to look for a run id; by default the store in outputs/")


def run(arguments: argparse.Namespace) -> int:
    """Run the record again; returns the exit status."""
    return rerun(arguments.target, arguments.overrides, arguments.uri)


def rerun(target: str, overrides: Sequence[str], uri: str | None) -> int:
    """Run what ``target`` names again; returns the exit status.

    Raises:
        RunnerError: there is no such record, or it cannot be run.
    """
    from runner.sweep.repeat import prepared, repeat
    from runner.tracking.credentials import uri_without_credentials

    refused = {*BESIDE, *keys_of(lambda role: not role.rerun)}
    for word in overrides:
        key = word.partition("=")[0].lstrip("+~").partition(".")[0]
        if "=" not in word or key in refused:
            raise ConfigurationError(
                key, word, "cannot be chosen for a rerun", "key=value, or group=option, of the program's own"
            )
    uri = None if uri is None else uri_without_credentials(uri)
    with _found(target, uri) as original:
        points = prepared(original, [*_tracking(original, target, uri), *overrides])
        return repeat(original, points, [target, *([f"--uri={uri}"] if uri else []), *overrides])


@contextlib.contextmanager
def _found(target: str, uri: str | None) -> Iterator[PointRecord | SweepRecord]:
    folder = Path(target).expanduser()
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
    if (folder / SWEEP).exists():
        sweep = read_sweep(folder)
        if sweep.measured:
            return sweep
    elif (point := read_point(folder)) is not None:
        return point
    raise RunnerError(f"{folder}: nothing of it was ever measured")


def _tracking(original: PointRecord | SweepRecord, target: str, uri: str | None) -> list[str]:
    """Where the rerun is recorded: in the store it was found in; a server that a folder only names is not contacted for that."""
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
