"""A sweep that costs little, and what must be true of its record however often it was cut short and resumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

POINTS, ROUNDS, EPOCHS, IMAGES = 2, 2, 2, 2

WORDS = [
    "mode=sequential,thread", "workers=1", f"images={IMAGES}", "task=pillow", "task.size=8", "protocol=quick", f"protocol.rounds={ROUNDS}",
    f"protocol.epochs={EPOCHS}", "protocol.warmup_epochs=0", "protocol.self_check=false", "monitor=off", "tracking=none",
]  # fmt: skip

# A run of one point that costs as little.
RUN = ["task=pillow", "task.size=8", "mode=sequential", "workers=1", "images=2", "monitor=off"]


def record_of(folder: Path) -> dict[str, Any]:
    """What two runs of the sweep have in common: everything but ids, times and measured values."""
    sweep = json.loads((folder / "sweep.json").read_text())
    return {
        "baseline": sweep["baseline"],
        "compared": [(one["point"], one["metric"]) for one in sweep["comparisons"]],
        "points": [_point(folder / entry["folder"], entry) for entry in sweep["points"]],
        "files": sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()),
    }


def _point(folder: Path, entry: dict[str, Any]) -> dict[str, Any]:
    record = json.loads((folder / "result.json").read_text())
    assert record["id"] == entry["id"]
    return {
        "name": entry["name"],
        "status": (entry["status"], record["status"], record["error"]),
        "config": record["config"] | {"resume": None},
        "hash": (record["config_hash"], entry["config_hash"]),
        "images": record["images"],
        "trials": [(trial["round"], trial["status"], len(trial["epochs"]), trial["digest"]) for trial in record["trials"]],
        "metrics": sorted(record["metrics"]),
        "rows": rows_of(folder),
    }


def rows_of(folder: Path) -> list[tuple[int, int, int, str]]:
    """Round, epoch, item and image of every row."""
    tables = [pq.ParquetFile(path).read() for path in sorted((folder / "images").glob("*.parquet"))]
    columns = ("round", "epoch", "item", "image")
    return [tuple(row[name] for name in columns) for table in tables for row in table.to_pylist()]
