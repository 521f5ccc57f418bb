"""From what a trial reported to the record of it: plain data, as ``result.json`` has it."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.config.options import METRICS
from runner.modes import Worker
from runner.records import WIDTH, Records
from runner.sources.image import Image
from runner.supervisor import Outcome
from runner.trial.messages import EpochReport, Report

SCHEMA_VERSION = 1


def epoch_record(epoch: EpochReport, wall_offset_s: float) -> dict[str, Any]:
    """One timed pass.

    Latency is from the start of an image's read to the end of its sink. ``read_s``, ``task_s`` and ``sink_s`` are
    worker-seconds: the sum over the images. Latencies and stages are those of images that succeeded; None if none did.
    """
    table = np.frombuffer(epoch.records.values, dtype=np.int64).reshape(-1, WIDTH).copy()
    good = table[table[:, 7] == 1]
    read, task, sink, end = good[:, 3], good[:, 4], good[:, 5], good[:, 6]
    work_s = (epoch.finished_ns - epoch.released_ns) * 1e-9
    p50: float | None
    p95: float | None
    p99: float | None
    if len(good):
        p50, p95, p99 = (float(value) * 1e-9 for value in np.percentile(end - read, (50, 95, 99)))
        stages = [float((later - earlier).sum()) * 1e-9 for earlier, later in ((read, task), (task, sink), (sink, end))]
    else:
        p50 = p95 = p99 = None
        stages = [0.0, 0.0, 0.0]
    return {
        "released_at": epoch.released_ns * 1e-9 + wall_offset_s,
        "work_s": work_s,
        "images_ok": len(good),
        "images_failed": len(table) - len(good),
        "images_per_s": len(good) / work_s,
        "cpu_s": epoch.cpu_s,
        "latency_p50_s": p50,
        "latency_p95_s": p95,
        "latency_p99_s": p99,
        "read_s": stages[0],
        "task_s": stages[1],
        "sink_s": stages[2],
    }


def trial_record(
    number: int, order: int, session: str, outcome: Outcome, *, peaks: dict[str, int | None], wall_offset_s: float
) -> dict[str, Any]:
    """One trial; a trial that did not come to its end has its status, its error, and None for what is not known.

    ``session`` names the uninterrupted run of the program that it was part of: only trials of one session make pairs.
    ``peaks`` are the monitor's largest readings, by the names ``memory_bytes``, ``threads`` and ``processes``.
    """
    report, error = outcome.report, outcome.error
    record: dict[str, Any] = {
        "round": number,
        "order": order,
        "session": session,
        "status": "ok" if error is None else error.status,
        "error": None,
        "startup_s": None,
        "warmup_s": None,
        "work_s": None,
        "teardown_s": None,
        "total_s": None,
        "import_s": None,
        "worker_import_s": None,
        "preload_s": None,
        "cpu_s": None,
        "cpu_user_s": None,
        "cpu_system_s": None,
        "peak_memory_bytes": peaks["memory_bytes"],
        "peak_memory_method": None,
        "threads_peak": peaks["threads"],
        "processes_peak": peaks["processes"],
        "tf": None,
        "workers": None,
        "epochs": [],
        "digest": None,
        "image_errors": {},
    }
    if error is not None:
        record["error"] = {"type": error.kind, "message": str(error), "traceback": error.remote_traceback}
    if report is None:
        return record
    epochs = [epoch_record(epoch, wall_offset_s) for epoch in report.epochs]
    work_s = sum(epoch["work_s"] for epoch in epochs)
    record |= {
        "startup_s": report.startup_s,
        "warmup_s": report.warmup_s,
        "work_s": work_s,
        "teardown_s": report.teardown_s,
        "total_s": report.startup_s + work_s + report.teardown_s,
        "import_s": report.import_s,
        "worker_import_s": max(worker.import_s for worker in report.workers),
        "preload_s": report.preload_s,
        "cpu_s": report.cpu_user_s + report.cpu_system_s,
        "cpu_user_s": report.cpu_user_s,
        "cpu_system_s": report.cpu_system_s,
        "peak_memory_bytes": max(report.footprint.memory_bytes, peaks["memory_bytes"] or 0),
        "peak_memory_method": report.footprint.memory_method,
        "threads_peak": max(report.footprint.threads, peaks["threads"] or 0),
        "processes_peak": max(report.footprint.processes, peaks["processes"] or 0),
        "tf": _threads_of(report.workers),
        "workers": len(report.workers),
        "epochs": epochs,
        "digest": digest_of(report.verification),
    }
    return record


def image_errors(report: Report, images: Sequence[Image]) -> dict[str, str]:
    """The images that failed, by path, with their error."""
    found: dict[str, str] = {}
    for records in (*(epoch.records for epoch in report.epochs), report.verification):
        for item, error in records.errors.items():
            found.setdefault(images[item % len(images)].path, error)
    return found


def digest_of(verification: Records) -> str:
    """One hash over the results of the different images, in their order, whatever the order of completion."""
    whole = hashlib.blake2b(digest_size=16)
    for item in sorted(verification.digests):
        digest = verification.digests[item]
        whole.update(len(digest).to_bytes(4, "big") + digest)
    return whole.hexdigest()


def _threads_of(workers: Sequence[Worker]) -> dict[str, Any]:
    """The thread settings that the workers read back: numbers where all agree, otherwise the list of what there is."""

    def one_or_all(values: list[Any]) -> Any:
        distinct = sorted(set(values), key=str)
        return distinct[0] if len(distinct) == 1 else distinct

    return {
        "intra_op": one_or_all([worker.threads.intra_op for worker in workers]),
        "inter_op": one_or_all([worker.threads.inter_op for worker in workers]),
        "blas": one_or_all([worker.threads.blas for worker in workers]),
    }


def trial_metrics(trial: Mapping[str, Any], usable_cpus: float) -> dict[str, float]:
    """One value for each of ``METRICS`` from one trial that succeeded: medians over its epochs, or sums where said so.

    ``cpu_utilization_pct`` is CPU seconds ÷ (wall seconds × CPUs that may be used) over the timed epochs.
    """
    epochs = trial["epochs"]
    handled = sum(epoch["images_ok"] + epoch["images_failed"] for epoch in epochs)
    cpu_s = sum(epoch["cpu_s"] for epoch in epochs)

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
        "cpu_utilization_pct": cpu_s / (trial["work_s"] * usable_cpus) * 100,
        "peak_memory_mb": trial["peak_memory_bytes"] / 1e6,
        "images_ok": min(epoch["images_ok"] for epoch in epochs),
        "images_failed": max(epoch["images_failed"] for epoch in epochs),
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
        "value": statistics.median(ordered) if ordered else None,
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


def point_metrics(trials: Sequence[dict[str, Any]], usable_cpus: float) -> dict[str, dict[str, Any]]:
    """``summary`` of each metric over the trials that succeeded; empty where none did."""
    rows = [trial_metrics(trial, usable_cpus) for trial in trials if trial["status"] == "ok"]
    return {name: summary([row[name] for row in rows]) for name in METRICS} if rows else {}
