"""From what a trial reported to the record of it: plain data, as ``result.json`` has it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runner.modes import Worker
from runner.monitor.sampler import Samples
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.trial.gil_probe import WAITED_S
from runner.trial.messages import EpochReport, Phase, Report
from runner.trial.supervisor import Outcome

# Of an epoch's records, so that memory stays flat but for the latencies.
_ROWS_AT_ONCE = 1 << 16


def epoch_record(epoch: EpochReport, wall_offset_s: float) -> dict[str, Any]:
    """One timed pass.

    Latency is from the start of an image's read to the end of its sink. ``read_s``, ``task_s`` and ``sink_s`` are
    worker-seconds: the sum over the images. Latencies and stages are those of images that succeeded; None if none did.
    """
    latencies_ns, stages_ns = [np.empty(0, np.int64)], np.zeros(3, np.int64)
    for rows in epoch.records.columns(_ROWS_AT_ONCE):
        good = rows.taken(rows.ok == 1)
        latencies_ns.append(good.end - good.read_start)
        borders = (good.read_start, good.task_start, good.sink_start, good.end)
        stages_ns += [int((later - earlier).sum()) for earlier, later in itertools.pairwise(borders)]
    latency_ns = np.concatenate(latencies_ns)
    images_ok, work_s = len(latency_ns), (epoch.finished_ns - epoch.released_ns) * 1e-9
    p50, p95, p99 = (np.percentile(latency_ns, (50, 95, 99)) * 1e-9).tolist() if images_ok else (None, None, None)
    read_s, task_s, sink_s = (stages_ns * 1e-9).tolist()
    return {
        "released_at": epoch.released_ns * 1e-9 + wall_offset_s,
        "work_s": work_s,
        "images_ok": images_ok,
        "images_failed": len(epoch.records) - images_ok,
        "images_per_s": images_ok / work_s,
        **_cpu_of(epoch),
        **{name: value for name, value in epoch.usage.record().items() if not name.startswith("cpu_")},
        "latency_p50_s": p50,
        "latency_p95_s": p95,
        "latency_p99_s": p99,
        "read_s": read_s,
        "task_s": task_s,
        "sink_s": sink_s,
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
class Observations:
    """What the conductor saw of a trial from outside.

    Attributes:
        samples: the monitor's.
        monitor, host, gpu: as the record has them: how well the trial was watched, and what was around it.
        cpus_usable: CPUs that the trial could use: its affinity, or the control group's quota where that is less.
        delivery: how its results came to where they were sent; None where none were sent.
        services: the servers beside the trial, what they did and what they took.
    """

    samples: Samples
    monitor: dict[str, Any]
    host: dict[str, Any]
    gpu: dict[str, Any]
    cpus_usable: float
    delivery: dict[str, Any] | None = None
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def nothing(cls, cpus_usable: float) -> Observations:
        """Of a trial that was not watched."""
        return cls(
            Samples((), 0, 0, 0.0, None),
            monitor={},
            host={},
            gpu={"absent": "not sampled", "devices": []},
            cpus_usable=cpus_usable,
        )

    def peak(self, name: str) -> int | None:
        """The largest reading of that name over the samples."""
        return max((value for sample in self.samples.taken if (value := getattr(sample, name)) is not None), default=None)


@dataclass(frozen=True)
class TrialPlace:
    """Where in a sweep a trial stands.

    Attributes:
        round: from 0.
        order: its place in the round, from 0.
        block: the stretch of trials without a gap that it is part of; only trials of one block make pairs. The record calls it ``session``.
    """

    round: int
    order: int
    block: str


def trial_record(
    place: TrialPlace,
    outcome: Outcome,
    observations: Observations,
    *,
    images: Sequence[Image],
    wall_offset_s: float,
    started_at: float,
    ended_at: float,
) -> dict[str, Any]:
    """One trial; a trial that did not come to its end has its status, its error, and None for what is not known.

    Args:
        place: where in the sweep it stands.
        outcome: how it went.
        observations: what was seen of it from outside.
        images: the different images of its point.
        wall_offset_s: what to add to the shared clock, in seconds, for the time of day (Unix time).
        started_at: Unix time.
        ended_at: Unix time.
    """
    report, error = outcome.report, outcome.error
    record: dict[str, Any] = {
        "round": place.round,
        "order": place.order,
        "session": place.block,
        "started_at": started_at,
        "ended_at": ended_at,
        "status": "ok" if error is None else error.status,
        "error": None if error is None else error.record(),
        **_cpu(outcome.phases, observations.samples),
        "phases": phase_records(outcome.phases, wall_offset_s),
        "services": observations.services,
        "gpu": observations.gpu,
        "host": observations.host,
        "sink": observations.delivery,
        "monitor": observations.monitor,
    }
    return record | (_not_reported(observations) if report is None else _reported(report, observations, images, wall_offset_s))


def _not_reported(observations: Observations) -> dict[str, Any]:
    """What only the trial itself can report, where it did not."""
    return {
        **dict.fromkeys(
            ("startup_s", "warmup_s", "work_s", "teardown_s", "total_s", "import_s", "worker_import_s", "preload_s")
        ),
        "cpus": None,
        "cpus_usable": observations.cpus_usable,
        "peak_memory_bytes": observations.peak("memory_bytes"),
        "peak_memory_method": None,
        "memory_at_pauses_bytes": [],
        "threads_peak": observations.peak("threads"),
        "processes_peak": observations.peak("processes"),
        "tf": None,
        "workers": None,
        "epochs": [],
        "digest": None,
        "image_errors": {},
        "gil": None,
        "backend": {},
        "nodes": [],
        "cache": None,
    }


def _reported(report: Report, observations: Observations, images: Sequence[Image], wall_offset_s: float) -> dict[str, Any]:
    """What the trial reported."""
    epochs = [epoch_record(epoch, wall_offset_s) for epoch in report.epochs]
    work_s = sum(epoch["work_s"] for epoch in epochs)
    return {
        "startup_s": report.startup_s,
        "warmup_s": report.warmup_s,
        "work_s": work_s,
        "teardown_s": report.teardown_s,
        "total_s": report.startup_s + work_s + report.teardown_s,
        "import_s": report.import_s,
        "worker_import_s": max(worker.import_s for worker in report.workers),
        "preload_s": report.preload_s,
        "cpus": _cpus_of(report),
        "cpus_usable": observations.cpus_usable + _cpus_elsewhere(report.nodes),
        "peak_memory_bytes": _larger(report.footprint.memory_bytes, observations.peak("memory_bytes")),
        "peak_memory_method": report.footprint.memory_method,
        "memory_at_pauses_bytes": list(report.memory_bytes),
        "threads_peak": _larger(report.footprint.threads, observations.peak("threads")),
        "processes_peak": _larger(report.footprint.processes, observations.peak("processes")),
        "tf": _threads_of(report.workers),
        "workers": len(report.workers),
        "epochs": epochs,
        "digest": digest_of(report.verification),
        "image_errors": image_errors(report, images),
        "gil": gil_record(report),
        "backend": dict(report.backend),
        "nodes": [dict(node) for node in report.nodes],
        "cache": None if report.cache is None else report.cache.record(),
    }


def _cpu(phases: Sequence[Phase], samples: Samples) -> dict[str, Any]:
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
    last_sample_s = samples.tree_cpu_s
    method = None if last_sample_s is None else "last sample"
    return {"cpu_s": last_sample_s, "cpu_user_s": None, "cpu_system_s": None, "cpu_method": method}


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
