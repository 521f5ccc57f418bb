"""What it costs to log to MLflow: one point, and a sweep of 200 points with five trials each, from their records on disk.

    python benchmarks/tracking.py [--points 200] [--uri URI]... [--rounds 3]

The records are copies of a real one. The local store and the servers with these addresses take turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--uri", action="append", default=[], help="of an MLflow server, beside the local store")
    parser.add_argument("--rounds", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tracking-") as folder:
        os.chdir(folder)
        words = ["mode=process", "workers=2", "protocol=quick", "protocol.rounds=5", "tracking=none"]
        subprocess.run([sys.executable, "-m", "runner", *words], check=True, stdout=subprocess.DEVNULL)
        (real,) = (path.parent for path in Path().glob("outputs/runs/*/*/result.json"))
        sweep = _sweep(real, Path("sweep"), arguments.points)
        singles = [_point(real, Path("points") / str(number), number) for number in range(10)]
        began = time.perf_counter()
        import runner.tracking.connection  # noqa: F401

        print(f"import of MLflow {time.perf_counter() - began:.2f} s")
        taken: dict[str, list[dict[str, float]]] = {}
        for _ in range(arguments.rounds):
            for uri in (None, *arguments.uri):
                taken.setdefault(uri or "the local store", []).append(_measured(sweep, singles, uri))
    for store, rounds in taken.items():
        print(f"{store}, {len(rounds)} rounds, median and range:")
        for what in rounds[0]:
            values = [measured[what] for measured in rounds]
            print(f"  {what}: {statistics.median(values):.3f} s [{min(values):.3f}, {max(values):.3f}]")


def _measured(sweep: Path, singles: list[Path], uri: str | None) -> dict[str, float]:
    from runner.record.reading import read_point, read_sweep
    from runner.tracking.connection import connect
    from runner.tracking.mlflow_runs import write_record

    began = time.perf_counter()
    connection = connect(uri, f"benchmark {uuid.uuid4().hex[:8]}")
    opened_s, taken = time.perf_counter() - began, []
    for folder in singles:
        point = read_point(folder)
        assert point is not None  # noqa: S101
        start = time.perf_counter()
        write_record(connection, point)
        taken.append(time.perf_counter() - start)
    start = time.perf_counter()
    written = write_record(connection, read_sweep(sweep))
    whole_s, start = time.perf_counter() - start, time.perf_counter()
    write_record(connection, read_sweep(sweep))
    return {
        "opening of the store": opened_s,
        "one point with its artifacts": statistics.median(taken),
        f"a sweep of {written - 1} points, 5 trials each": whole_s,
        "a run of it": whole_s / written,
        "the same once more, when all of it is there": time.perf_counter() - start,
    }


def _sweep(real: Path, folder: Path, points: int) -> Path:
    entries: list[dict[str, Any]] = []
    for number in range(points):
        at = _point(real, folder / str(number), number)
        record = json.loads((at / "result.json").read_text())
        entries.append(
            {"id": record["id"], "name": record["name"], "folder": at.name, "status": "ok", "metrics": record["metrics"]}
        )
    content = {
        "schema_version": 1, "id": uuid.uuid4().hex, "command": "", "baseline": entries[0]["name"], "points": entries,
        "comparisons": [], "self_check": None, "trusted": True, "warnings": [],
    }  # fmt: skip
    (folder / "sweep.json").write_text(json.dumps(content))
    return folder.absolute()


def _point(real: Path, folder: Path, number: int) -> Path:
    shutil.copytree(real, folder)
    record = json.loads((folder / "result.json").read_text())
    record |= {"id": uuid.uuid4().hex, "name": f"process-w{number + 1}"}
    record["config"]["workers"] = number + 1
    (folder / "result.json").write_text(json.dumps(record))
    return folder.absolute()


if __name__ == "__main__":
    main()
