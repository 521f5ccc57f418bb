"""Prints all runs of an MLflow experiment as JSON: ``main`` with the store's address and the experiment's name as words."""

from __future__ import annotations

import json
import os
import sys
import warnings

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def main() -> None:
    """Read and print."""
    warnings.simplefilter("ignore")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=sys.argv[1])
    experiment = client.get_experiment_by_name(sys.argv[2])
    found = client.search_runs([experiment.experiment_id], max_results=1000) if experiment else []
    runs = [
        {
            "id": run.info.run_id,
            "name": run.info.run_name,
            "status": run.info.status,
            "artifact_uri": run.info.artifact_uri,
            "tags": run.data.tags,
            "params": run.data.params,
            "metrics": run.data.metrics,
            "seconds": (run.info.end_time or 0) / 1e3 - run.info.start_time / 1e3,
            "artifacts": sorted(item.path for item in client.list_artifacts(run.info.run_id)),
            "datasets": [[one.dataset.name, one.dataset.digest] for one in run.inputs.dataset_inputs] if run.inputs else [],
            "history": {
                key: [[point.step, point.value] for point in client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
        }
        for run in found
    ]
    sys.stdout.write(json.dumps(runs) + "\n")
