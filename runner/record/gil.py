"""The record of the interpreter lock."""

from __future__ import annotations

import numpy as np

from runner.record.trial_schema import GilRecord
from runner.trial.gil_probe import WAITED_S
from runner.trial.messages import Report


def gil_record(report: Report) -> GilRecord | None:
    """How long the probe's thread waited for the lock during the timed epochs; None without a probe, or without a single lock.

    ``held_pct`` is the share of wake-ups that had to wait, which estimates the share of the time in which the lock was held, with a
    95 % interval (Wilson, 1927). ``wait_*_ms`` are what a waking thread waited.
    """
    gil = report.gil
    if gil is None:
        return None
    at, waits = np.frombuffer(gil.at_ns, dtype=np.int64), np.frombuffer(gil.wait_ns, dtype=np.int64)
    timed = np.zeros(len(at), dtype=bool)
    for epoch in report.epochs:
        timed |= (at >= epoch.released_ns) & (at <= epoch.finished_ns)
    during = waits[timed] * 1e-6
    if not len(during):
        return {"wakeups": 0, "held_pct": None, "probe_cpu_s": gil.cpu_s}
    from scipy.stats import binomtest

    held = int((during > WAITED_S * 1e3).sum())
    interval = binomtest(held, len(during)).proportion_ci(0.95, method="wilson")
    p50, p95, most = (float(value) for value in np.percentile(during, (50, 95, 100)))
    return {
        "wakeups": len(during),
        "held_pct": held / len(during) * 100,
        "held_low_pct": float(interval.low) * 100,
        "held_high_pct": float(interval.high) * 100,
        "wait_p50_ms": p50,
        "wait_p95_ms": p95,
        "wait_max_ms": most,
        "excludes_cpu_wait": gil.exact,
        "probe_cpu_s": gil.cpu_s,
    }
