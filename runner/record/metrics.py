"""The metrics of a trial and of a point: the same small set in every run, each with its unit."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, cast

from runner.config.metrics import METRICS
from runner.monitor.gpu_record import gpu_metrics
from runner.record.consumer import consumer_metrics
from runner.record.metric_schema import MetricName, Metrics, MetricSummary, TrialMetrics
from runner.record.trial_schema import GoodTrial, TrialRecord


def trial_metrics(trial: GoodTrial) -> TrialMetrics:
    """One value for each of ``METRICS`` from one trial that succeeded: medians over its epochs, or sums where said so.

    ``cpu_utilization_pct`` is CPU seconds ÷ (wall seconds × CPUs that may be used) over the timed epochs. None is what the system
    does not tell. Where there is a GPU or a consumer, its metrics come after.
    """
    epochs = trial["epochs"]
    handled = sum(epoch["images_ok"] + epoch["images_failed"] for epoch in epochs)
    cpu_s = sum(epoch["cpu_s"] for epoch in epochs)
    memory_bytes = trial["peak_memory_bytes"]

    def latency_ms(key: Literal["latency_p50_s", "latency_p95_s", "latency_p99_s"]) -> float:
        return statistics.median(latency_s for epoch in epochs if (latency_s := epoch[key]) is not None) * 1e3

    return {
        "images_per_s": float(statistics.median(epoch["images_per_s"] for epoch in epochs)),
        "total_s": trial["total_s"],
        "startup_s": trial["startup_s"],
        "work_s": trial["work_s"],
        "teardown_s": trial["teardown_s"],
        "latency_p50_ms": latency_ms("latency_p50_s"),
        "latency_p95_ms": latency_ms("latency_p95_s"),
        "latency_p99_ms": latency_ms("latency_p99_s"),
        "cpu_s_per_image": cpu_s / handled,
        "cpu_utilization_pct": cpu_s / (trial["work_s"] * trial["cpus_usable"]) * 100,
        "peak_memory_mb": None if memory_bytes is None else memory_bytes / 1e6,
        "images_ok": min(epoch["images_ok"] for epoch in epochs),
        "images_failed": max(epoch["images_failed"] for epoch in epochs),
        **gpu_metrics(trial["gpu"], handled),
        **consumer_metrics(trial.get("consumer")),
    }


def values_of(metrics: TrialMetrics) -> Iterator[tuple[MetricName, float | None]]:
    """Each metric of a trial with its value."""
    return cast("Iterator[tuple[MetricName, float | None]]", iter(metrics.items()))


def summaries_of(metrics: Metrics) -> Iterator[tuple[MetricName, MetricSummary]]:
    """Each metric of a point with its summary."""
    return cast("Iterator[tuple[MetricName, MetricSummary]]", iter(metrics.items()))


def summary(values: Sequence[float]) -> MetricSummary:
    """Median over trials with a 95 % interval.

    The interval is distribution-free, between order statistics (David & Nagaraja, Order Statistics, 7.1). Fewer than six
    values cannot give 95 %: ``low`` and ``high`` are None then.
    """
    ordered = sorted(values)
    n = len(ordered)
    rank = _interval_rank(n)
    return {
        "value": statistics.median(ordered) if ordered else None,  # None: not known in any trial
        "low": None if rank is None else ordered[rank],
        "high": None if rank is None else ordered[n - 1 - rank],
        "n": n,
    }


@cache
def _interval_rank(n: int) -> int | None:
    """The largest rank (from 0) whose pair of order statistics still covers the median with 95 %; None where there is none.

    Of n values, those below the median are binomial: the rank is the largest k with P(X ≤ k) ≤ 2.5 %, X ~ Binomial(n, ½).
    """
    if n < 6:  # P(X = 0) = 0.5**n is more than 2.5 %
        return None
    from scipy.stats import binom  # a third of a second to import

    rank = int(binom.ppf(0.025, n, 0.5))  # the smallest k with P(X ≤ k) ≥ 2.5 %
    return rank if binom.cdf(rank, n, 0.5) <= 0.025 else rank - 1


def point_metrics(trials: Sequence[TrialRecord]) -> Metrics:
    """``summary`` of each metric over the trials that succeeded; empty where none did."""
    rows: list[dict[str, float | None]] = [dict(values_of(trial_metrics(trial))) for trial in trials if trial["status"] == "ok"]
    names = dict.fromkeys((*METRICS, *(name for row in rows for name in row))) if rows else ()
    return cast("Metrics", {name: summary([value for row in rows if (value := row.get(name)) is not None]) for name in names})
