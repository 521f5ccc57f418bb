"""MLflow: told of a run when all its timing is over and its record is on disk."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from runner.config.options import NoTracking, Server, TrackingOption
from runner.errors import RunnerError
from runner.records_on_disk import read_point, read_sweep


def track(folder: Path, options: Sequence[TrackingOption]) -> None:
    """Log the point or the sweep in ``folder`` wherever ``options`` say. A store that cannot be written costs a message, no result."""
    wanted = {(option.experiment, _uri(option)) for option in options if not isinstance(option, NoTracking)}
    if not wanted:
        return
    from runner import terminal
    from runner.tracking.connection import connect, page_of
    from runner.tracking.mlflow_runs import write_record

    for experiment, uri in sorted(wanted, key=str):
        try:
            record = read_sweep(folder) if (folder / "sweep.json").is_file() else read_point(folder)
            if record is None:
                return
            connection = connect(uri, experiment)
            write_record(connection, record)
        except RunnerError as error:
            later = f"bring it in later by: python -m runner.sync {shlex.quote(terminal.short(folder))}"
            terminal.print_error(f"MLflow has not heard of all of this run, its record on disk is complete: {error}\n  {later}")
        else:
            terminal.print_where_tracked(None if uri is None else page_of(uri, connection.experiment_id))


def _uri(option: TrackingOption) -> str | None:
    return option.uri if isinstance(option, Server) else None
