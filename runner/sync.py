"""``python -m runner.sync FOLDER...``: brings records into MLflow, exactly once however often it is run.

For runs that MLflow has not heard of: its server was away, tracking was off, or the folder comes from another machine.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console

from runner.errors import RunnerError
from runner.records_on_disk import PointRecord, SweepRecord, records_below
from runner.secrets import uri_without_credentials


def main() -> None:
    """Write what is missing and say how many runs that were; exits with 1 where something could not be written."""
    parser = argparse.ArgumentParser(prog="python -m runner.sync", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="of a point or a sweep, or one with such in it")
    parser.add_argument("--uri", help="the MLflow tracking URI; by default the one each record names, or the store in outputs/")
    parser.add_argument("--experiment", help="the MLflow experiment; by default the one each record names")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a run is not left as RUNNING
    uri = None if arguments.uri is None else uri_without_credentials(arguments.uri)
    try:
        sys.exit(sync(arguments.folders, uri, arguments.experiment))
    except RunnerError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


def sync(folders: list[Path], uri: str | None, experiment: str | None) -> int:
    """Write what lies in ``folders``; returns the exit status.

    Raises:
        RunnerError: there is nothing in them.
    """
    # Absolute: it is what the run says of where its record lies.
    records = [record for folder in folders for record in records_below(folder.absolute())]
    console = Console(markup=False, highlight=False, soft_wrap=True)
    from runner.tracking.connection import Connection, connect
    from runner.tracking.mlflow_runs import write_record

    connections: dict[tuple[str | None, str], Connection | RunnerError] = {}
    failures = 0
    for record in records:
        where = uri or _uri_of(record), experiment or _first(record).record["config"]["tracking"]["experiment"]
        if where not in connections:
            try:
                connections[where] = connect(*where)
            except RunnerError as error:
                connections[where] = error
                console.print(str(error))
        connection = connections[where]
        if isinstance(connection, RunnerError):  # said once
            failures += 1
            continue
        try:
            written = write_record(connection, record)
        except RunnerError as error:
            failures += 1
            console.print(f"{record.folder}: {error}")
            continue
        console.print(f"{record.folder}: {f'{written} runs written' if written else 'was there already'}")
    return 1 if failures else 0


def _first(record: PointRecord | SweepRecord) -> PointRecord:
    return record.measured[0] if isinstance(record, SweepRecord) else record


def _uri_of(record: PointRecord | SweepRecord) -> str | None:
    uri: str | None = _first(record).record["config"]["tracking"].get("uri")
    return uri


if __name__ == "__main__":
    main()
