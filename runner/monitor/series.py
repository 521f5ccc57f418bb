"""The monitor's samples as ``samples.csv``, one row a sample."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from runner.monitor.sampler import Sample

_COLUMNS = (
    "round", "unix_time_s", "phase", "cpu_pct", "host_cpu_pct", "rss_bytes", "memory_bytes", "threads", "processes",
)  # fmt: skip


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
    gpu_columns = [f"gpu_{index}_{what}" for index in range(gpus) for what in ("utilization_pct", "memory_bytes")]
    columns = [*_COLUMNS, *gpu_columns]
    writer = csv.writer(file, lineterminator="\n")
    if header:
        writer.writerow(columns)
    for sample in series.samples:
        row: list[object] = [
            series.round,
            f"{sample.at_ns * 1e-9 + series.wall_offset_s:.6f}",
            sample.phase,
            _rounded(sample.cpu_pct),
            _rounded(sample.host_cpu_pct),
            sample.rss_bytes,
            sample.memory_bytes,
            sample.threads,
            sample.processes,
        ]
        for gpu in sample.gpus:
            row += [_rounded(gpu.utilization_pct), gpu.memory_bytes]
        writer.writerow(row + [None] * (len(columns) - len(row)))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
