"""Logs a record to the MLflow stores that its configuration names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.config.options import TrackingOption
from runner.errors import RunnerError
from runner.record.reading import read_folder


@dataclass(frozen=True)
class Logged:
    """The outcome of logging a record to one store.

    Attributes:
        page: the address of the table of runs; None for the local store.
        uri: the address of the store; None for the local one.
        error: why the record is not completely in the store; None if it is.
    """

    page: str | None = None
    uri: str | None = None
    error: RunnerError | None = None


def track(folder: Path, options: Sequence[TrackingOption]) -> Iterator[Logged]:
    """Log the point or the sweep in ``folder`` to each store that ``options`` name; yields the outcome of each."""
    stores = {(option.experiment, uri) for option in options for uri in option.stores}
    if not stores:
        return
    from runner.tracking.connection import connect, page_of
    from runner.tracking.mlflow_runs import write_record

    for experiment, uri in sorted(stores, key=str):
        try:
            record = read_folder(folder)
            if record is None:
                return
            connection = connect(uri, experiment)
            write_record(connection, record)
        except RunnerError as error:
            yield Logged(uri=uri, error=error)
        else:
            yield Logged(page=None if uri is None else page_of(uri, connection.experiment_id))
