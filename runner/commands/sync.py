"""``runner sync FOLDER...``: logs records that MLflow does not have yet; a record is never logged twice.

MLflow lacks a record if its server could not be reached, tracking was off, or the folder comes from another machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.display.console import print_line
from runner.display.words import cut_short_text
from runner.errors import RunnerError
from runner.outside import in_one_line
from runner.record.reading import PointRecord, SweepRecord, records_below, was_cut_short
from runner.secrets import masked
from runner.tracking.credentials import uri_without_credentials
from runner.tracking.store import may_contact


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="FOLDER", help="of a point or a sweep, or one that contains such folders"
    )
    parser.add_argument(
        "--uri",
        help="the MLflow tracking URI; by default the store in outputs/. A server that only a record names is not contacted",
    )
    parser.add_argument("--experiment", help="the MLflow experiment; by default that of each record")


def run(arguments: argparse.Namespace) -> int:
    """Write the missing runs and say how many there were; returns 1 if something could not be written."""
    uri = None if arguments.uri is None else uri_without_credentials(arguments.uri)
    return sync(arguments.folders, uri, arguments.experiment)


def sync(folders: list[Path], uri: str | None, experiment: str | None) -> int:
    """Write what lies in ``folders``; returns the exit status.

    Raises:
        RunnerError: there is nothing in them.
    """
    # Absolute, because the run names the folder of its record.
    records = [record for folder in folders for record in records_below(folder.absolute())]
    from runner.tracking.connection import Connection, connect
    from runner.tracking.mlflow_runs import write_record

    connections: dict[tuple[str | None, str], Connection | RunnerError] = {}
    failures = 0
    mentioned: set[str] = set()
    for record in records:
        where = uri or _own_store(record, mentioned), experiment or _first(record).record["config"]["tracking"]["experiment"]
        if where not in connections:
            try:
                connections[where] = connect(*where)
            except RunnerError as error:
                connections[where] = error
                print_line(str(error))
        connection = connections[where]
        if isinstance(connection, RunnerError):  # printed when it happened
            failures += 1
            continue
        try:
            written = write_record(connection, record)
        except RunnerError as error:
            failures += 1
            print_line(f"{record.folder}: {error}")
            continue
        print_line(f"{record.folder}: {f'{written} runs written' if written else 'was there already'}{_cut_short(record)}")
    return 1 if failures else 0


def _first(record: PointRecord | SweepRecord) -> PointRecord:
    return record.measured[0] if isinstance(record, SweepRecord) else record


def _cut_short(record: PointRecord | SweepRecord) -> str:
    """What there is to say of a record that is not whole."""
    points = record.measured if isinstance(record, SweepRecord) else [record]
    short = [point for point in points if was_cut_short(point.record)]
    if not short:
        return ""
    return f"; {short[0].label} was {cut_short_text(short[0].record)}" + (
        f", and {len(short) - 1} more" if len(short) > 1 else ""
    )


def _own_store(record: PointRecord | SweepRecord, mentioned: set[str]) -> str | None:
    """The store that the record names, if it is the user's own; otherwise None, for the one in ``outputs/``. Each other store is mentioned once."""
    uri: str | None = _first(record).record["config"]["tracking"].get("uri")
    if may_contact(uri):
        return uri
    shown = in_one_line(masked(str(uri)))
    if shown not in mentioned:
        mentioned.add(shown)
        print_line(
            f"{shown} is named by a record, so nothing is sent there; this goes to the store in outputs/. To use the other: --uri {shown}"
        )
    return None
