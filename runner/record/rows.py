"""The rows of a point's ``images.csv`` and ``samples.csv``, as columns of numbers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# More rows of images.csv are not read for a picture: a distribution does not change any more.
MOST_ROWS = 400_000


def latencies_ms(folder: Path) -> Any:
    """Of each image of the timed epochs that succeeded, from the start of its read to the end of its sink, in milliseconds, sorted.

    An array of float64; empty where nothing was kept.
    """
    path = folder / "images.csv"
    if not path.is_file():
        return np.empty(0)
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        columns = [header.index(f"{stage}_s") for stage in ("read", "task", "sink")] if header else []
        status = header.index("status") if header else 0
        for count, row in enumerate(reader):
            if count == MOST_ROWS:
                break
            if row[status] == "ok":
                found.append(sum(float(row[column]) for column in columns))
    return np.sort(np.array(found)) * 1e3


def images_of_trial(folder: Path, trial: Mapping[str, Any], most: int) -> list[dict[str, str]]:
    """The first ``most`` rows of a trial's last timed epoch, in the order of their start."""
    last = str(len(trial["epochs"]) - 1)
    rows = [row for row in _rows(folder / "images.csv", trial["round"]) if row["epoch"] == last]
    return sorted(rows, key=lambda row: float(row["start_s"]))[:most]


def samples_of_trial(folder: Path, trial: Mapping[str, Any]) -> list[dict[str, str]]:
    """The monitor's samples of a trial, in the order of their time."""
    return _rows(folder / "samples.csv", trial["round"])


def series(rows: Sequence[Mapping[str, str]], column: str, begin_s: float) -> tuple[list[float], list[float]]:
    """Seconds since ``begin_s``, a Unix time, and values of those rows that have one."""
    known = [row for row in rows if row.get(column)]
    return [float(row["unix_time_s"]) - begin_s for row in known], [float(row[column]) for row in known]


def _rows(path: Path, number: int) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    wanted = str(number)
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["round"] == wanted]
