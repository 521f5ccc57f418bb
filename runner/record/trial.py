"""From what a trial reported to the record of it: plain data, as ``result.json`` has it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from runner.errors import TrialError, TrialSilent
from runner.host.interpreter_facts import PythonFacts
from runner.host.load import HostLoad
from runner.host.memory import Footprint
from runner.modes import Worker
from runner.monitor.sampler import Samples
from runner.monitor.schema import GpuRecord, MonitorRecord
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.record.consumer import consumer_record
from runner.record.epochs import epoch_record, phase_records
from runner.record.gil import gil_record
from runner.record.trial_schema import (
    AnyTrial,
    FailedTrial,
    GoodTrial,
    NodeRecord,
    Reported,
    ServiceRecord,
    SinkRecord,
    ThreadCount,
    ThreadSettings,
    TrialCpu,
    TrialPeaks,
    TrialRecord,
    Unwatched,
)
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Outcome


@dataclass(frozen=True)
class Observations:
    """What the conductor observed of a trial from outside.

    Attributes:
        samples: the monitor's.
        monitor, host, gpu: as in the record: how well the trial was watched, and the state of its host.
        cpus_usable: CPUs that the trial could use: its affinity, or the control group's quota where that is less.
        delivery: how its results came to where they were sent; None where none were sent.
        services: the servers beside the trial, with their requests and their usage.
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
    """The record of one trial; a trial that did not finish has its status, its error, and None for what is not known.

    Args:
        place: where in the sweep it stands.
        outcome: how it went.
        observations: what was observed from outside.
        images: the different images of its point.
        wall_offset_s: what to add to the shared clock, in seconds, for the time of day (Unix time).
        started_at: Unix time.
        ended_at: Unix time.
    """
    report, error = outcome.report, outcome.error
    trial = _any_trial(place, outcome, observations, images=images, wall_offset_s=wall_offset_s, times=(started_at, ended_at))
    if report is None:
        error = error or TrialSilent("the trial ended without a report")
        return _not_reported(trial, error, observations)
    figures = _reported(report, sum(epoch["work_s"] for epoch in trial["epochs"]))
    if error is None:
        return _good(trial, figures, observations)
    return _failed(trial, figures, error, observations)


def _any_trial(
    place: TrialPlace,
    outcome: Outcome,
    observations: Observations,
    *,
    images: Sequence[Image],
    wall_offset_s: float,
    times: tuple[float, float],
) -> AnyTrial:
    """What every trial has, however it ended; ``times`` are its start and end, Unix time."""
    report = outcome.report
    nodes = [] if report is None else node_records(report)
    return {
        "round": place.round,
        "order": place.order,
        "session": place.block,
        "started_at": times[0],
        "ended_at": times[1],
        **_cpu(outcome.phases, observations.samples),
        "cpus": None if report is None else _cpus_of(report),
        "cpus_usable": observations.cpus_usable + _remote_cpus(nodes),
        **_peaks(report, observations),
        "phases": phase_records(outcome.phases, wall_offset_s),
        "epochs": [] if report is None else [epoch_record(epoch, wall_offset_s) for epoch in report.epochs],
        "image_errors": {} if report is None else image_errors(report, images),
        "services": observations.services,
        "gpu": observations.gpu,
        "sink": observations.delivery,
        "gil": None if report is None else gil_record(report),
        "nodes": nodes,
        "cache": None if report is None or report.cache is None else report.cache.record(),
        "consumer": None if report is None or report.consumer is None else consumer_record(report.consumer),
        "python": _python_of(report),
        "backend": {} if report is None else dict(report.backend),
    }


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


def _cpu(phases: Sequence[Phase], samples: Samples) -> TrialCpu:
    """CPU seconds from the start of startup to the end of teardown; up to the last sample where the trial ended before that."""
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


def _peaks(report: Report | None, observations: Observations) -> TrialPeaks:
    """The larger of what the trial read at its pauses and what the monitor sampled."""
    footprint = Footprint(None, None, None, None, 0) if report is None else report.footprint
    return {
        "peak_memory_bytes": _larger(footprint.memory_bytes, observations.peak("memory_bytes")),
        "peak_memory_method": footprint.memory_method,
        "memory_at_pauses_bytes": [] if report is None else list(report.memory_bytes),
        "threads_peak": _larger(footprint.threads, observations.peak("threads")),
        "processes_peak": _larger(footprint.processes or None, observations.peak("processes")),
    }


def _python_of(report: Report | None) -> PythonFacts | None:
    """What the trial says of its interpreter; ``gil`` is whether any of its workers has the lock."""
    if report is None or report.python is None:
        return None
    return {**report.python, "gil": any(worker.gil for worker in report.workers)}


def _cpus_of(report: Report) -> list[int] | None:
    """The CPUs that the trial and all its workers may use, read back; None where the system does not say."""
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
    """The thread settings that the workers read back: numbers where all agree, otherwise the list of the different ones."""

    def one_or_all(values: Sequence[int | None]) -> ThreadCount:
        distinct = sorted(set(values), key=str)
        return distinct[0] if len(distinct) == 1 else distinct

    return {
        "intra_op": one_or_all([worker.threads.intra_op for worker in workers]),
        "inter_op": one_or_all([worker.threads.inter_op for worker in workers]),
        "blas": one_or_all([worker.threads.blas for worker in workers]),
        "opencv": one_or_all([worker.threads.opencv for worker in workers]),
    }
