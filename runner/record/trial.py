"""From what a trial reported to the record of it: plain data, as ``result.json`` has it."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from runner.errors import TrialError, TrialSilent
from runner.host.load import HostLoad
from runner.host.memory import Footprint
from runner.modes import Worker
from runner.monitor.gpu_record import GpuRecord
from runner.monitor.sampler import MonitorRecord, Samples
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.record.trial_schema import (
    AnyTrial,
    EndedPhase,
    EpochRecord,
    FailedTrial,
    GilRecord,
    GoodTrial,
    NodeRecord,
    OpenPhase,
    PhaseRecord,
    Reported,
    ServiceRecord,
    SinkRecord,
    ThreadCount,
    ThreadSettings,
    TrialRecord,
    Unwatched,
)
from runner.trial.gil_probe import WAITED_S
from runner.trial.messages import EpochReport, Phase, Report
from runner.trial.supervisor import Outcome

# Of an epoch's records, so that memory stays flat but for the latencies.
_ROWS_AT_ONCE = 1 << 16


def epoch_record(epoch: EpochReport, wall_offset_s: float) -> EpochRecord:
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
    cpu_user_s, cpu_system_s = _user_and_system_s(epoch)
    return {
        **epoch.usage.record(),
        "released_at": epoch.released_ns * 1e-9 + wall_offset_s,
        "work_s": work_s,
        "images_ok": images_ok,
        "images_failed": len(epoch.records) - images_ok,
        "images_per_s": images_ok / work_s,
        "cpu_s": epoch.cpu_s,
        "cpu_user_s": cpu_user_s,
        "cpu_system_s": cpu_system_s,
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


def _user_and_system_s(epoch: EpochReport) -> tuple[float | None, float | None]:
    """An epoch's CPU seconds by the processes' clocks, divided into user and system as the kernel's accounting divides its own."""
    usage = epoch.usage
    if not usage.cpu_s or usage.cpu_user_s is None:
        return None, None
    user_s = epoch.cpu_s * usage.cpu_user_s / usage.cpu_s
    return user_s, epoch.cpu_s - user_s


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
    monitor: MonitorRecord | Unwatched
    host: HostLoad | Unwatched
    gpu: GpuRecord
    cpus_usable: float
    delivery: SinkRecord | None = None
    services: dict[str, ServiceRecord] = field(default_factory=dict)

    @classmethod
    def nothing(cls, cpus_usable: float) -> Observations:
        """Of a trial that was not watched."""
        return cls(
            Samples((), 0, 0, 0.0, None),
            monitor=Unwatched(),
            host=Unwatched(),
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
) -> TrialRecord:
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
    used = _cpu(outcome.phases, observations.samples)
    footprint = Footprint(None, None, None, None, 0) if report is None else report.footprint
    nodes = [] if report is None else node_records(report)
    trial: AnyTrial = {
        "round": place.round,
        "order": place.order,
        "session": place.block,
        "started_at": started_at,
        "ended_at": ended_at,
        "cpu_s": used.cpu_s,
        "cpu_user_s": used.user_s,
        "cpu_system_s": used.system_s,
        "cpu_method": used.method,
        "cpus": None if report is None else _cpus_of(report),
        "cpus_usable": observations.cpus_usable + _remote_cpus(nodes),
        "peak_memory_bytes": _larger(footprint.memory_bytes, observations.peak("memory_bytes")),
        "peak_memory_method": footprint.memory_method,
        "memory_at_pauses_bytes": [] if report is None else list(report.memory_bytes),
        "threads_peak": _larger(footprint.threads, observations.peak("threads")),
        "processes_peak": _larger(footprint.processes or None, observations.peak("processes")),
        "phases": phase_records(outcome.phases, wall_offset_s),
        "epochs": [] if report is None else [epoch_record(epoch, wall_offset_s) for epoch in report.epochs],
        "image_errors": {} if report is None else image_errors(report, images),
        "services": observations.services,
        "gpu": observations.gpu,
        "sink": observations.delivery,
        "gil": None if report is None else gil_record(report),
        "nodes": nodes,
        "cache": None if report is None or report.cache is None else report.cache.record(),
        "backend": {} if report is None else dict(report.backend),
    }
    if report is None:
        error = error or TrialSilent("the trial ended without a report")
        return _not_reported(trial, error, observations)
    figures = _reported(report, sum(epoch["work_s"] for epoch in trial["epochs"]))
    if error is None:
        return _good(trial, figures, observations)
    return _failed(trial, figures, error, observations)


def _good(trial: AnyTrial, figures: Reported, observations: Observations) -> GoodTrial:
    # A trial that ran to its end was watched.
    host, monitor = cast("HostLoad", observations.host), cast("MonitorRecord", observations.monitor)
    return {**trial, **figures, "status": "ok", "error": None, "host": host, "monitor": monitor}


def _failed(trial: AnyTrial, figures: Reported, error: TrialError, observations: Observations) -> FailedTrial:
    """A trial that has reported, but whose results are not to be used."""
    return {
        **trial,
        **figures,
        "status": error.status,
        "error": error.record(),
        "host": observations.host,
        "monitor": observations.monitor,
    }


def _not_reported(trial: AnyTrial, error: TrialError, observations: Observations) -> FailedTrial:
    """A trial that has not reported, so that its figures are not known."""
    return {
        **trial,
        "startup_s": None,
        "warmup_s": None,
        "work_s": None,
        "teardown_s": None,
        "total_s": None,
        "import_s": None,
        "worker_import_s": None,
        "preload_s": None,
        "tf": None,
        "workers": None,
        "digest": None,
        "status": error.status,
        "error": error.record(),
        "host": observations.host,
        "monitor": observations.monitor,
    }


def _reported(report: Report, work_s: float) -> Reported:
    return {
        "startup_s": report.startup_s,
        "warmup_s": report.warmup_s,
        "work_s": work_s,
        "teardown_s": report.teardown_s,
        "total_s": report.startup_s + work_s + report.teardown_s,
        "import_s": report.import_s,
        "worker_import_s": max(worker.import_s for worker in report.workers),
        "preload_s": report.preload_s,
        "tf": _threads_of(report.workers),
        "workers": len(report.workers),
        "digest": digest_of(report.verification),
    }


@dataclass(frozen=True)
class _Cpu:
    """CPU seconds of a trial, and how they were measured."""

    cpu_s: float | None
    user_s: float | None = None
    system_s: float | None = None
    method: str | None = None


def _cpu(phases: Sequence[Phase], samples: Samples) -> _Cpu:
    """CPU seconds from the start of startup to the end of teardown; where a trial did not get there, what was last seen of it."""
    border = {phase.name: phase.usage for phase in phases}
    if "startup" in border and "end" in border:
        used = border["end"] - border["startup"]
        return _Cpu(used.cpu_s, used.cpu_user_s, used.cpu_system_s, "kernel accounting")
    last_sample_s = samples.tree_cpu_s
    return _Cpu(last_sample_s, method=None if last_sample_s is None else "last sample")


def phase_records(phases: Sequence[Phase], wall_offset_s: float) -> list[PhaseRecord]:
    """What each phase took, from its border with the one before to its border with the next; the last has no end, and no figures.

    The borders are the trial's; a phase begins with the moment in which the conductor takes its sample, about a millisecond.
    """
    records: list[PhaseRecord] = []
    for phase, following in itertools.zip_longest(phases, phases[1:]):
        if phase.name == "end":
            continue
        at = phase.at_ns * 1e-9 + wall_offset_s
        if following is None:
            records.append(OpenPhase(name=phase.name, at=at, wall_s=None))
        else:
            used, wall_s = following.usage - phase.usage, (following.at_ns - phase.at_ns) * 1e-9
            ended: EndedPhase = {"name": phase.name, "at": at, "wall_s": wall_s, **used.record()}
            records.append(ended)
    return records


def gil_record(report: Report) -> GilRecord | None:
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
    read_back = [report.cpus, *(worker.cpus for worker in report.workers)]
    known = [set(cpus) for cpus in read_back if cpus is not None]
    return sorted(set.union(*known)) if known else None


def node_records(report: Report) -> list[NodeRecord]:
    """The nodes of a cluster with what their workers used; empty where the trial has no cluster."""
    return [cast("NodeRecord", dict(node)) for node in report.nodes]


def _remote_cpus(nodes: Sequence[NodeRecord]) -> float:
    """CPUs that may be used on hosts other than the trial's; nodes of one host share its CPUs."""
    of_host = {node["host"]: node["cpus_usable"] or 0.0 for node in nodes if node["elsewhere"]}
    return sum(of_host.values())


def _larger(one: int | None, other: int | None) -> int | None:
    return max((value for value in (one, other) if value is not None), default=None)


def image_errors(report: Report, images: Sequence[Image]) -> dict[str, str]:
    """The images that failed, by path or address, with their error."""
    errors: dict[str, str] = {}
    for records in (*(epoch.records for epoch in report.epochs), report.verification):
        for item, error in records.errors.items():
            errors.setdefault(images[item % len(images)].where, error)
    return errors


def digest_of(verification: Records) -> str:
    """One hash over the results of the different images, in their order, whatever the order of completion."""
    whole = hashlib.blake2b(digest_size=16)
    for item in sorted(verification.digests):
        digest = verification.digests[item]
        whole.update(len(digest).to_bytes(4, "big") + digest)
    return whole.hexdigest()


def _threads_of(workers: Sequence[Worker]) -> ThreadSettings:
    """The thread settings that the workers read back: numbers where all agree, otherwise the list of what there is."""

    def one_or_all(values: Sequence[int | None]) -> ThreadCount:
        distinct = sorted(set(values), key=str)
        return distinct[0] if len(distinct) == 1 else distinct

    return {
        "intra_op": one_or_all([worker.threads.intra_op for worker in workers]),
        "inter_op": one_or_all([worker.threads.inter_op for worker in workers]),
        "blas": one_or_all([worker.threads.blas for worker in workers]),
        "opencv": one_or_all([worker.threads.opencv for worker in workers]),
    }
