"""What a store of MLflow holds, and where a sweep lies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.warm_program import warm


def runs_at(uri: str, experiment: str = "image-pipeline", **environment: str) -> list[Any]:
    """All runs there, read by MLflow itself in a process of its own: it brings threads and warnings."""
    answer = warm().run(Path.cwd(), "support.mlflow_reader", uri, experiment, **environment)
    assert answer.returncode == 0, answer.stderr
    found: list[Any] = json.loads(answer.stdout.splitlines()[-1])
    return found


def local_store(folder: Path) -> str:
    return f"sqlite:///{folder}/outputs/mlflow.db"


def sweep_in(folder: Path) -> Path:
    (found,) = (path.parent for path in folder.glob("outputs/sweeps/*/*/sweep.json"))
    return found
