"""What a launcher adds to a sweep of four points: wall time beyond that of its trials, with a task that uses TensorFlow and one that does not.

    python benchmarks/launchers.py [--rounds 3]

The launchers take turns; all run on this host, so that trials never run at the same time and what is left over is the launcher's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LAUNCHERS = ("rounds", "submitit_local", "joblib")
POINTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    for task in ("pillow", "tensorflow"):
        beyond: dict[str, list[float]] = {launcher: [] for launcher in LAUNCHERS}
        for _ in range(rounds):
            for launcher in LAUNCHERS:
                beyond[launcher].append(_beyond_trials_s(launcher, task))
        for launcher, values in beyond.items():
            print(
                f"{task}, {launcher}: {statistics.median(values):.1f} s beyond the trials of {POINTS} points "
                f"[{min(values):.1f}, {max(values):.1f}], {statistics.median(values) / POINTS:.1f} s a point"
            )


def _beyond_trials_s(launcher: str, task: str) -> float:
    words = [f"hydra/launcher={launcher}", f"task={task}", "mode=sequential", "seed=0,1,2,3", "protocol=quick", "tracking=none"]
    with tempfile.TemporaryDirectory(prefix="launchers-") as folder:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "runner", *words, "-m"], cwd=folder, check=True, capture_output=True)
        wall_s = time.perf_counter() - began
        records = [json.loads(path.read_text()) for path in Path(folder).glob("outputs/sweeps/*/*/[0-3]/result.json")]
    assert len(records) == POINTS  # noqa: S101
    return wall_s - sum(float(trial["ended_at"] - trial["started_at"]) for record in records for trial in record["trials"])


if __name__ == "__main__":
    main()
