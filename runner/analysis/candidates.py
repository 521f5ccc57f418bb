"""From the trials of points to what is asked of them: which is best by a metric, and which to take."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from runner.analysis.conclusion import Candidate, Question
from runner.analysis.neighbours import without_drift
from runner.analysis.readings import readings_of
from runner.analysis.verdicts import better_if_more
from runner.config.metrics import CRITERIA
from runner.record.metric_schema import MetricName
from runner.record.metrics import summary, trial_metrics
from runner.record.reading import PointRecord, spoken_name
from runner.record.trial_schema import TrialRecord


def question(metric: MetricName, indifference: float, *, raced: bool = False, kept: str | None = None) -> Question:
    """Which point is best by this metric; the other arguments are as in ``Question``."""
    criterion = next((name for name, asked in CRITERIA.items() if asked == metric), metric)
    better = "faster" if metric == "images_per_s" else "better"
    return Question(criterion, better_if_more(metric), better, indifference, raced=raced, kept=kept)


def candidate(
    label: str, shown: str, trials: Sequence[TrialRecord], metric: MetricName, *, failed: bool, kind: str = ""
) -> Candidate:
    """A point with its values of one metric, and what it costs in CPU and memory; ``kind`` is as in ``Candidate``."""
    good = [trial_metrics(trial) for trial in trials if trial["status"] == "ok"]

    def known(name: MetricName) -> list[float]:
        return [value for one in good if (value := one.get(name)) is not None]

    cpu, memory = known("cpu_s_per_image"), known("peak_memory_mb")
    return Candidate(
        label,
        shown,
        readings_of(trials, metric),
        summary(known(metric)),
        statistics.median(cpu) if cpu else None,
        statistics.median(memory) if memory else None,
        failed,
        kind,
    )


def steadied(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with the drift within long rounds taken out. Not for a race: what it decided was decided on the values as they were."""
    readings = without_drift([one.readings for one in candidates])
    return [replace(one, readings=values) for one, values in zip(candidates, readings, strict=True)]


def candidate_of(point: PointRecord, metric: MetricName) -> Candidate:
    """The same of a point's record."""
    shown = spoken_name(point.label, point.record["config"])
    kind = str(point.record["config"].get("mode", {}).get("name", ""))
    failed = any(trial["status"] != "ok" for trial in point.record["trials"])  # one that was cut short has not failed
    return candidate(point.label, shown, point.record["trials"], metric, failed=failed, kind=kind)
