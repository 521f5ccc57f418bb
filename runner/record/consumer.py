"""The record of a trial's consumer: what each step waited for and how long it was busy, and the metrics that follow."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.record.consumer_schema import ConsumerMetrics, ConsumerRecord, FedEpoch, StepTimeline

if TYPE_CHECKING:  # readers of records need no trial
    from runner.trial.steps import ConsumerReport, Steps

# A timeline has no more entries; of more steps, each entry is the sum over some.
MOST_ENTRIES = 500


@dataclass(frozen=True)
class _Counted:
    """The steps that count: for each, seconds of waiting and of being busy, and its images; and the whole stretch in seconds."""

    wait_s: Any
    busy_s: Any
    images: Any
    total_s: float


def consumer_record(report: ConsumerReport) -> ConsumerRecord:
    """The record of what the consumer reports."""
    return {
        "build_s": report.build_s,
        "epochs": [fed_epoch(steps, report.warmup_steps) for steps in report.passes],
        "outcome": dict(report.outcome),
    }


def fed_epoch(steps: Steps, left_out: int) -> FedEpoch:
    """The record of one pass; ``left_out`` is how many first steps are left out.

    Utilization is busy ÷ total. Total is from the end of the last step that is left out, or from the release of the workers where none is, to
    the end of the last step: as in MLPerf Storage, where the first step is left out.
    """
    import numpy as np

    counted = _counted(steps, left_out)
    total_s, count = counted.total_s, len(counted.wait_s)
    there = count > 0 and total_s > 0
    p50, p95, p99, most = np.percentile(counted.wait_s, (50, 95, 99, 100)).tolist() if there else (None, None, None, None)
    busy_s = float(counted.busy_s.sum())
    return {
        "steps": len(steps),
        "images": sum(steps.images),
        "steps_left_out": min(left_out, len(steps)),
        "first_batch_s": (steps.taken[0] - steps.released_ns) * 1e-9 if len(steps) else None,
        "wait_s": float(counted.wait_s.sum()),
        "busy_s": busy_s,
        "cpu_s": steps.cpu_s,
        "total_s": total_s,
        "utilization_pct": busy_s / total_s * 100 if there else None,
        "steps_per_s": count / total_s if there else None,
        "images_per_s": float(counted.images.sum()) / total_s if there else None,
        "step_wait_p50_s": p50,
        "step_wait_p95_s": p95,
        "step_wait_p99_s": p99,
        "step_wait_max_s": most,
        "step_busy_p50_s": float(np.median(counted.busy_s)) if there else None,
        "ready": statistics.fmean(steps.ready[left_out:]) if there else None,
        "timeline": _timeline(*_times_s(steps)),
    }


def _counted(steps: Steps, left_out: int) -> _Counted:
    import numpy as np

    wait_s, busy_s = _times_s(steps)
    images = np.array(steps.images, np.int64)
    if len(steps) <= left_out:
        return _Counted(wait_s[:0], busy_s[:0], images[:0], 0.0)
    began_ns = steps.ended[left_out - 1] if left_out else steps.released_ns
    return _Counted(wait_s[left_out:], busy_s[left_out:], images[left_out:], (steps.ended[-1] - began_ns) * 1e-9)


def _times_s(steps: Steps) -> tuple[Any, Any]:
    """Of each step: how long it waited, from the end of the one before, and how long it was busy."""
    import numpy as np

    taken, ended = np.array(steps.taken, np.int64), np.array(steps.ended, np.int64)
    before = np.concatenate([np.array([steps.released_ns], np.int64), ended[:-1]])[: len(taken)]
    return (taken - before) * 1e-9, (ended - taken) * 1e-9


def _timeline(wait_s: Any, busy_s: Any) -> StepTimeline:
    each = max(1, -(-len(wait_s) // MOST_ENTRIES))
    starts = range(0, len(wait_s), each)
    return {
        "steps_each": each,
        "wait_s": [float(wait_s[start : start + each].sum()) for start in starts],
        "busy_s": [float(busy_s[start : start + each].sum()) for start in starts],
    }


def consumer_metrics(record: ConsumerRecord | None) -> ConsumerMetrics:
    """The metrics of a trial: medians over its epochs; none where there was no consumer, None where no step was left."""
    if record is None:
        return {}
    epochs: Sequence[Mapping[str, Any]] = record["epochs"]

    def median(name: str, factor: float = 1.0) -> float | None:
        values = [value for epoch in epochs if (value := epoch[name]) is not None]
        return statistics.median(values) * factor if values else None

    return {
        "accelerator_utilization_pct": median("utilization_pct"),
        "steps_per_s": median("steps_per_s"),
        "step_wait_ms": median("step_wait_p50_s", 1e3),
        "first_batch_s": median("first_batch_s"),
        "consumed_images_per_s": median("images_per_s"),
    }
