"""The metrics of a trial and of a point: the same small set in every run, each with its unit."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.options import METRICS
from runner.monitor.gpu_record import gpu_metrics


def trial_metrics(trial: Mapping[str, Any]) -> dict[str, float | None]:
    """One value for each of ``METRICS`` from one trial that succeeded: medians over its epochs, or sums where said so.

    ``cpu_utilization_pct`` is CPU seconds ÷ (wall seconds × CPUs that may be used) over the timed epochs. None is what the system
    does not tell. Where there is a GPU, its metrics come after.
    """
    epochs = trial["epochs"]
    handled = sum(epoch["images_ok"] + epoch["images_failed"] for epoch in epochs)
    cpu_s = sum(epoch["cpu_s"] for epoch in epochs)
    memory_bytes = trial["peak_memory_bytes"]

    def middle(key: str) -> float:
        return float(statistics.median(epoch[key] for epoch in epochs))

    return {
        "images_per_s": middle("images_per_s"),
        "total_s": trial["total_s"],
        "startup_s": trial["startup_s"],
        "work_s": trial["work_s"],
        "teardown_s": trial["teardown_s"],
        "latency_p50_ms": middle("latency_p50_s") * 1e3,
        "latency_p95_ms": middle("latency_p95_s") * 1e3,
        "latency_p99_ms": middle("latency_p99_s") * 1e3,
        "cpu_s_per_image": cpu_s / handled,
        "cpu_utilization_pct": cpu_s / (trial["work_s"] * trial["cpus_usable"]) * 100,
        "peak_memory_mb": None if memory_bytes is None else memory_bytes / 1e6,
        "images_ok": min(epoch["images_ok"] for epoch in epochs),
        "images_failed": max(epoch["images_failed"] for epoch in epochs),
        **gpu_metrics(trial["gpu"], handled),
    }


def summary(values: Sequence[float]) -> dict[str, Any]:
    """Median over trials with a 95 % interval: ``{value, low, high, n}``.

    The interval is distribution-free, between order statistics (David & Nagaraja, Order Statistics, 7.1). Fewer than six
    values cannot give 95 %: ``low`` and ``high`` are None then.
    """
    ordered = sorted(values)
    n = len(ordered)
    tail = _interval_rank(n)
    return {
        "value": statistics.median(ordered) if ordered else None,  # None: no trial could tell
        "low": ordered[tail] if tail is not None else None,
        "high": ordered[n - 1 - tail] if tail is not None else None,
        "n": n,
    }


def _interval_rank(n: int) -> int | None:
    """The largest rank (from 0) whose pair of order statistics still covers the median with 95 %."""
    below, best, term = 0.0, None, 0.5**n
    for rank in range(n // 2):
        below += term
        if 2 * below > 0.05:
            break
        best = rank
        term *= (n - rank) / (rank + 1)
    return best


def point_metrics(trials: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """``summary`` of each metric over the trials that succeeded; empty where none did."""
    rows = [trial_metrics(trial) for trial in trials if trial["status"] == "ok"]
    names = dict.fromkeys((*METRICS, *(name for row in rows for name in row)))
    return {name: summary([value for row in rows if (value := row.get(name)) is not None]) for name in names} if rows else {}
