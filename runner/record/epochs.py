"""The records of a trial's epochs and phases."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from runner.record.trial_schema import EndedPhase, EpochRecord, OpenPhase, PhaseRecord
from runner.trial.messages import EpochReport, Phase

# Rows of an epoch read at once: apart from the latencies, memory then does not grow with the number of images.
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
