"""The monitor's samples under the names that MLflow's System metrics tab uses for its own."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping, Sequence

# The most samples of a series; a chart in a browser has no more pixels.
MOST_SAMPLES = 300

# Counts every page once. The sum of resident memory below counts a shared page once for each process.
MEMORY = "system_memory_usage_megabytes"

# For each column of samples.csv MLflow's name, and the factor. CPU usage becomes per cent of the CPUs that the trial may use.
_NAMES = {
    "cpu_pct": ("cpu_utilization_percentage", 1.0),
    "host_cpu_pct": ("host_cpu_utilization_percentage", 1.0),
    "memory_bytes": (MEMORY, 1e-6),
    "rss_bytes": ("resident_memory_sum_megabytes", 1e-6),
    "threads": ("threads", 1.0),
    "processes": ("processes", 1.0),
}
_GPU_NAMES = {
    "utilization_pct": ("utilization_percentage", 1.0),
    "memory_bytes": ("memory_usage_megabytes", 1e-6),
    "power_w": ("power_usage_watts", 1.0),
}


def system_metrics(rows: Sequence[Mapping[str, str]], cpus_usable: float) -> Iterator[tuple[str, float, int, int]]:
    """Key, value, Unix time in milliseconds, and step, for the samples of one trial.

    The samples of a long trial are thinned: each value is then a mean over several samples.

    Args:
        rows: of ``samples.csv``.
        cpus_usable: how many CPUs the trial may use; together they are 100 %.
    """
    columns = list(rows[0]) if rows else []
    for column in columns:
        named = _named(column)
        if named is None:
            continue
        name, factor = named
        if column == "cpu_pct":
            factor /= cpus_usable
        known = [(float(row["unix_time_s"]), float(row[column]) * factor) for row in rows if row[column]]
        for step, (at_s, value) in enumerate(_thinned(known)):
            yield f"system/{name}", round(value, 3), int(at_s * 1000), step


def _named(column: str) -> tuple[str, float] | None:
    gpu = re.fullmatch(r"gpu_(\d+)_(\w+)", column)
    if gpu is None:
        return _NAMES.get(column)
    if gpu[2] not in _GPU_NAMES:
        return None
    name, factor = _GPU_NAMES[gpu[2]]
    return f"gpu_{gpu[1]}_{name}", factor


def _thinned(series: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    width = -(-len(series) // MOST_SAMPLES)
    for start in range(0, len(series), max(1, width)):
        part = series[start : start + width]
        yield statistics.fmean(at for at, _ in part), statistics.fmean(value for _, value in part)
