"""The monitor's samples as ``samples.csv``, one row a sample."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import IO

from runner.monitor.gpu import GpuSample
from runner.monitor.sampler import Sample

_COLUMNS = (
    "round", "unix_time_s", "phase", "gap_s", "cpu_pct", "host_cpu_pct", "rss_bytes", "memory_bytes", "pss_bytes", "threads",
    "processes",
)  # fmt: skip
_GPU_COLUMNS = tuple(spec.name for spec in fields(GpuSample))


@dataclass(frozen=True)
class Series:
    """The samples of one trial.

    Attributes:
        round: of the trial, from 0.
        wall_offset_s: what to add to the shared clock, in seconds, for the time of day (Unix time).
        samples: in order of time.
    """

    round: int
    wall_offset_s: float
    samples: Sequence[Sample]


def write_samples(file: IO[str], series: Series, gpus: int, *, header: bool) -> None:
    """Write one trial's samples; empty fields were not read in that sample."""
    writer = csv.writer(file, lineterminator="\n")
    columns = [*_COLUMNS, *(f"gpu_{index}_{what}" for index in range(gpus) for what in _GPU_COLUMNS)]
    if header:
        writer.writerow(columns)
    for sample in series.samples:
        row: list[object] = [series.round, f"{sample.at_ns * 1e-9 + series.wall_offset_s:.6f}"]
        row += [_rounded(getattr(sample, name)) for name in _COLUMNS[2:]]
        row += [_rounded(getattr(gpu, name)) for gpu in sample.gpus for name in _GPU_COLUMNS]
        writer.writerow(row + [None] * (len(columns) - len(row)))


def _rounded(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
