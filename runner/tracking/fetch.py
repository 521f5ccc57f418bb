"""Fetches the record of an MLflow run into a folder, as the program would have written it."""

from __future__ import annotations

from pathlib import Path

from mlflow import MlflowClient

from runner.errors import RunnerError
from runner.outside import within
from runner.record.reading import RESULT, SWEEP, read_sweep_json
from runner.tracking.connection import as_tracking_errors


def fetch(run_id: str, uri: str, into: Path) -> Path:
    """Fetch the record of a run into the folder ``into``; for a parent run, with the records of all its nested runs. Returns the folder.

    Raises:
        RunnerError: there is no such run, or it has no record.
        TrackingError: the store cannot be reached.
    """
    with as_tracking_errors(uri):
        client = MlflowClient(tracking_uri=uri)
        run = client.get_run(run_id)
        artifacts = {item.path for item in client.list_artifacts(run_id)}
        if SWEEP in artifacts:
            client.download_artifacts(run_id, SWEEP, str(into))
            nested = client.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=50_000)
            folders = _folders(into / SWEEP)
            for child in nested:
                folder = within(into, folders.get(child.data.tags.get("record", ""), child.info.run_id))
                folder.mkdir(exist_ok=True)
                client.download_artifacts(child.info.run_id, RESULT, str(folder))
        elif RESULT in artifacts:
            client.download_artifacts(run_id, RESULT, str(into))
        else:
            raise RunnerError(f"{run_id}: this run has no record among its artifacts (sweep.json or result.json)")
    return into


def _folders(sweep: Path) -> dict[str, str]:
    """The folder of each point, by the point's id."""
    return {point["id"]: Path(point["folder"]).name for point in read_sweep_json(sweep)["points"] if "id" in point}
