"""From what a trial reported to the record of it: plain data, as ``result.json`` has it."""

from __future__ import annotations

import hashlib
import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runner.config.options import METRICS
from runner.modes import Worker
from runner.monitor.gpu_record import gpu_metrics
from runner.monitor.sampler import Watched
from runner.records import Records
from runner.sources.image import Image
from runner.supervisor import Outcome
from runner.trial.gil_probe import WAITED_S
from runner.trial.messages import EpochReport, Phase, Report

SCHEMA_VERSION = 1


def epoch_record(epoch: EpochReport, wall_offset_s: float) -> dict[str, Any]:
    """One timed pass.

    Latency is from the start of an image's read to the end of its sink. ``read_s``, ``task_s`` and ``sink_s`` are
    worker-seconds: the sum over the images. Latencies and stages are those of images that succeeded; None if none did.
    """
    table = epoch.records.table()
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
        **_cpu_of(epoch),
        **{name: value for name, value in epoch.usage.record().items() if not name.startswith("cpu_")},
        "latency_p50_s": p50,
        "latency_p95_s": p95,
        "latency_p99_s": p99,
        "read_s": stages[0],
        "task_s": stages[1],
        "sink_s": stages[2],
        "returned_bytes": epoch.records.returned_bytes,
        "returned_bytes_per_s": epoch.records.returned_bytes / work_s,
        "collect_cpu_s": epoch.collect_cpu_s,
        "sink_bytes": epoch.records.receipt.bytes,
    }


def _cpu_of(epoch: EpochReport) -> dict[str, float | None]:
    """CPU seconds of an epoch: by the processes' clocks, divided into user and system as the kernel's books divide them."""
    usage = epoch.usage
    if not usage.cpu_s or usage.cpu_user_s is None:
        return {"cpu_s": epoch.cpu_s, "cpu_user_s": None, "cpu_system_s": None}
    user = epoch.cpu_s * usage.cpu_user_s / usage.cpu_s
    return {"cpu_s": epoch.cpu_s, "cpu_user_s": user, "cpu_system_s": epoch.cpu_s - user}


@dataclass(frozen=True)
class Seen:
    """What the conductor saw of a trial from outside.

    Attributes:
        watched: the monitor's samples.
        monitor, host, gpu: as the record has them: how well the trial was watched, and what was around it.
        cpus_usable: CPUs that the trial could use: its affinity, or the control group's quota where that is less.
        delivery: how its results came to where they were sent; None where none were sent.
        services: the servers beside the trial, what they did and what they took.
    """

    watched: Watched
    monitor: dict[str, Any]
    host: dict[str, Any]
    gpu: dict[str, Any]
    cpus_usable: float
    delivery: dict[str, Any] | None = None
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, cpus_usable: float) -> Seen:
        """Of a trial that nobody watched."""
        return cls(
            Watched((), 0, 0, 0.0, None),
            monitor={},
            host={},
            gpu={"absent": "not sampled", "devices": []},
            cpus_usable=cpus_usable,
        )

    def peak(self, name: str) -> int | None:
        """The largest reading of that name over the samples."""
        return max((value for sample in self.watched.samples if (value := getattr(sample, name)) is not None), default=None)


def trial_record(
    number: int, order: int, session: str, outcome: Outcome, *, seen: Seen, wall_offset_s: float
) -> dict[str, Any]:
    """One trial; a trial that did not come to its end has its status, its error, and None for what is not known.

    ``session`` names the uninterrupted run of the program that it was part of: only trials of one session make pairs.
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
        **_cpu(outcome.phases, seen.watched),
        "cpus": None,
        "cpus_usable": seen.cpus_usable,
        "peak_memory_bytes": seen.peak("memory_bytes"),
        "peak_memory_method": None,
        "memory_at_pauses_bytes": [],
        "threads_peak": seen.peak("threads"),
        "processes_peak": seen.peak("processes"),
        "tf": None,
        "workers": None,
        "epochs": [],
        "phases": phase_records(outcome.phases, wall_offset_s),
        "digest": None,
        "image_errors": {},
        "gil": None,
        "backend": {},
        "nodes": [],
        "cache": None,
        "services": seen.services,
        "gpu": seen.gpu,
        "host": seen.host,
        "sink": seen.delivery,
        "monitor": seen.monitor,
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
        "cpus": _cpus_of(report),
        "peak_memory_bytes": _larger(report.footprint.memory_bytes, seen.peak("memory_bytes")),
        "peak_memory_method": report.footprint.memory_method,
        "memory_at_pauses_bytes": list(report.memory_bytes),
        "threads_peak": _larger(report.footprint.threads, seen.peak("threads")),
        "processes_peak": _larger(report.footprint.processes, seen.peak("processes")),
        "tf": _threads_of(report.workers),
        "workers": len(report.workers),
        "epochs": epochs,
        "digest": digest_of(report.verification),
        "gil": gil_record(report),
        "backend": dict(report.backend),
        "nodes": [dict(node) for node in report.nodes],
        "cpus_usable": seen.cpus_usable + _cpus_elsewhere(report.nodes),
        "cache": None if report.cache is None else report.cache.record(),
    }
    return record


def _cpu(phases: Sequence[Phase], watched: Watched) -> dict[str, Any]:
    """CPU seconds from the start of startup to the end of teardown; where a trial did not get there, what was last seen of it."""
    border = {phase.name: phase.usage for phase in phases}
    if "startup" in border and "end" in border:
        used = border["end"] - border["startup"]
        return {
            "cpu_s": used.cpu_s,
            "cpu_user_s": used.cpu_user_s,
            "cpu_system_s": used.cpu_system_s,
            "cpu_method": "kernel accounting",
        }
    seen = watched.tree_cpu_s
    return {"cpu_s": seen, "cpu_user_s": None, "cpu_system_s": None, "cpu_method": None if seen is None else "last sample"}


def phase_records(phases: Sequence[Phase], wall_offset_s: float) -> list[dict[str, Any]]:
    """What each phase took, from its border with the one before to its border with the next; the last has no end, and no figures.

    The borders are the trial's; a phase begins with the moment in which the conductor takes its sample, about a millisecond.
    """
    records = []
    for phase, following in itertools.zip_longest(phases, phases[1:]):
        if phase.name == "end":
            continue
        record: dict[str, Any] = {"name": phase.name, "at": phase.at_ns * 1e-9 + wall_offset_s, "wall_s": None}
        if following is not None:
            record["wall_s"] = (following.at_ns - phase.at_ns) * 1e-9
            record |= (following.usage - phase.usage).record()
        records.append(record)
    return records


def gil_record(report: Report) -> dict[str, Any] | None:
    """What the probe found during the timed epochs; None where it was not asked for or there is no one lock to look at.

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
        "told_from_waiting_for_a_cpu": gil.exact,
        "probe_cpu_s": gil.cpu_s,
    }


def _cpus_of(report: Report) -> list[int] | None:
    """The CPUs that the trial and all its workers may use, read back; None where the system does not tell."""
    told = [report.cpus, *(worker.cpus for worker in report.workers)]
    known = [set(cpus) for cpus in told if cpus is not None]
    return sorted(set.union(*known)) if known else None


def _cpus_elsewhere(nodes: Sequence[Mapping[str, Any]]) -> float:
    """CPUs that may be used on hosts other than the trial's; nodes of one host share its CPUs."""
    of_host = {node["host"]: node["cpus_usable"] or 0.0 for node in nodes if node["elsewhere"]}
    return float(sum(of_host.values()))


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def image_errors(report: Report, images: Sequence[Image]) -> dict[str, str]:
    """The images that failed, by path or address, with their error."""
    found: dict[str, str] = {}
    for records in (*(epoch.records for epoch in report.epochs), report.verification):
        for item, error in records.errors.items():
            found.setdefault(images[item % len(images)].where, error)
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
        "opencv": one_or_all([worker.threads.opencv for worker in workers]),
    }


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
