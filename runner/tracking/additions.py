"""Adds files to the run of a record that MLflow has already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import ViewType

from runner.errors import TrackingError
from runner.tracking.connection import as_tracking_errors
from runner.tracking.store import refuse_missing

_KEY = "record"


def add_files(uri: str, record_id: str, paths: Sequence[Path]) -> int:
    """Log files as artifacts of the runs of a record; returns how many runs the store has of it.

    Raises:
        TrackingError: the store is not there, cannot be reached, or refused a file.
    """
    refuse_missing(uri)
    with as_tracking_errors(uri):
        client = MlflowClient(tracking_uri=uri)
        experiments = [one.experiment_id for one in client.search_experiments(ViewType.ACTIVE_ONLY)]
        runs = client.search_runs(experiments, f"tags.`{_KEY}` = '{record_id}'") if experiments else []
        for run in runs:
            for path in paths:
                client.log_artifact(run.info.run_id, str(path))
    return len(runs)


__all__ = ["TrackingError", "add_files"]
