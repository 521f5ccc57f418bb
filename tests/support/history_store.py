"""Makes a store of MLflow whose runs have a history: ``main`` with the folder in whose ``outputs`` it shall be."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

_DAY_MS = 86_400_000
_FIRST_MS = 1_767_261_600_000  # 2026-01-01, 10:00 UTC


def main() -> None:
    """Make it."""
    from mlflow import MlflowClient
    from mlflow.entities import Metric, RunTag

    from runner.tracking.connection import connect
    from support.made_records import CONFIG, result

    folder = Path(sys.argv[1])
    os.chdir(folder)
    connection = connect(None, "image-pipeline")
    client: MlflowClient = connection.client
    for number in range(27):
        slower, other = number >= 12, number >= 24
        at_ms = _FIRST_MS + number % 24 * _DAY_MS
        tags = {"config_hash": ("b" if other else "a") * 16, "host": "here"}
        run = client.create_run(connection.experiment_id, start_time=at_ms, tags=tags, run_name="thread-w2")
        value = (180 if slower else 200) * (1 + 0.01 * (number * 7 % 5 - 2))
        client.log_batch(run.info.run_id, [Metric("images_per_s", value, at_ms, 0)], tags=[RunTag("record.complete", "true")])
        if number in {11, 12}:  # on both sides of the change
            record: Any = result(config=CONFIG)
            record["environment"] = {**record["environment"], "packages": {"pillow": "12.0.0" if slower else "11.0.0"}}
            client.log_text(run.info.run_id, json.dumps(record), "result.json")
        client.set_terminated(run.info.run_id, "FINISHED", end_time=at_ms + 1000)
