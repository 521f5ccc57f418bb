"""What may be said of a point against the baseline: faster, slower, same, or inconclusive, and why."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from runner.analysis.neighbours import without_drift
from runner.analysis.readings import Key, Readings, differences, readings_of
from runner.analysis.sessions import ratio_of_sessions, session_means, too_few, whole_difference
from runner.analysis.statistics import MARGIN, Ratio, ratios_of, rounds_to_settle, step_down
from runner.record.metric_schema import MetricName
from runner.record.sweep_schema import Compared, ComparisonRecord, Verdict
from runner.record.trial_schema import TrialRecord

# What is compared, and whether more of it is better.
COMPARED: Mapping[MetricName, bool] = {
    "images_per_s": True,
    "startup_s": False,
    "cpu_s_per_image": False,
    "peak_memory_mb": False,
}

# The metric whose comparisons have the whole level, where none is chosen.
PRIMARY: MetricName = "images_per_s"

# Of the other metrics that may be chosen, those of which more is better.
_MORE_IS_BETTER = frozenset(
    {"cpu_utilization_pct", "images_ok", "accelerator_utilization_pct", "steps_per_s", "consumed_images_per_s"}
)

FASTER: Final = "faster"
SLOWER: Final = "slower"
SAME: Final = "same"
INCONCLUSIVE: Final = "inconclusive"


@dataclass(frozen=True)
class Comparison:
    """One point against the baseline in one metric.

    Attributes:
        point, baseline: labels.
        metric: its name.
        ratio: point ÷ baseline with intervals; None where they have no round in common.
        verdict: ``faster`` means better and ``slower`` worse: more images a second, less start-up, CPU or memory.
        rounds_needed: how many rounds would give a verdict where there is none; None where no reasonable number would.
        voided: rounds in which one of the two failed or was measured apart from the other, so that there is no pair.
        hosts: those of the point and of the baseline, where they differ and were compared anyway; otherwise None.
        sessions: how many sessions were pooled, each one value; None where rounds are the values.
        why: why there can be no verdict; None where there can.
        differences: log(point) − log(baseline) of each pair, in the order of the rounds.
        more_is_better: whether a larger value is better.
    """

    point: str
    baseline: str
    metric: MetricName
    ratio: Ratio | None
    verdict: Verdict = INCONCLUSIVE
    rounds_needed: int | None = None
    voided: tuple[int, ...] = ()
    hosts: tuple[str, str] | None = None
    sessions: int | None = None
    why: str | None = None
    differences: tuple[float, ...] = ()
    more_is_better: bool = True

    def record(self) -> ComparisonRecord:
        """As ``sweep.json`` has it: None for an interval without an end."""
        return {"metric": self.metric, **self.without_metric()}

    def without_metric(self) -> Compared:
        """The same for values of no metric of this program's."""
        ratio = self.ratio
        robust = (
            None
            if ratio is None or self.sessions
            else [ratio.robust_ratio, *map(_finite, (ratio.robust_low, ratio.robust_high))]
        )
        return {
            "point": self.point,
            "baseline": self.baseline,
            "ratio": None if ratio is None else ratio.ratio,
            "low": None if ratio is None else _finite(ratio.low),
            "high": None if ratio is None else _finite(ratio.high),
            "verdict": self.verdict,
            "n": 0 if ratio is None else ratio.n,
            "alpha": None if ratio is None else ratio.alpha,
            "robust": robust,
            "rounds_needed": self.rounds_needed,
            "voided_rounds": list(self.voided),
            "hosts": self.hosts and list(self.hosts),
            "sessions": self.sessions,
            "why": self.why,
        }


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a label, the records of its trials, and the host that they were measured on, where it is known."""

    label: str
    trials: Sequence[TrialRecord]
    host: str | None = None


def better_if_more(metric: MetricName) -> bool:
    """Whether more of a metric is better."""
    return COMPARED.get(metric, metric in _MORE_IS_BETTER)


def compare_points(
    points: Sequence[Side],
    baseline: Side,
    *,
    comparisons: int | None = None,
    primary: MetricName = PRIMARY,
    across_hosts: bool = False,
) -> list[Comparison]:
    """Compare points with the baseline in every compared metric; point by point, the metrics of each in the same order.

    The comparisons in the ``primary`` metric share the level ``ALPHA``, those in all others together share it once more: a verdict in the
    primary metric is false in at most 5 % of sweeps, and so is any in the others.

    Args:
        points: compared with the baseline.
        baseline: the other side.
        comparisons: how many points share the level; by default as many as are given.
        primary: the metric that the sweep was run for.
        across_hosts: whether points of another host than the baseline's are compared: over their sessions, since each host's own drift is in
            every difference, and one session has only one.
    """
    count = len(points) if comparisons is None else comparisons
    metrics = list(COMPARED) if primary in COMPARED else [primary, *COMPARED]
    others = [metric for metric in metrics if metric != primary]
    judged = {}
    for family, level in (([primary], count), (others, count * len(others))):
        found = [one for metric in family for one in _in_one_metric(points, baseline, metric, level, across_hosts=across_hosts)]
        judged.update({(one.point, one.metric): one for one in in_family(found, level)})
    return [judged[point.label, metric] for point in points for metric in metrics]


def in_family(family: Sequence[Comparison], comparisons: int) -> list[Comparison]:
    """The comparisons with the verdicts that hold for this many of them together."""
    cut = step_down([one.ratio for one in family], comparisons)
    judged = []
    for one, ratio in zip(family, cut, strict=True):
        verdict = verdict_on(ratio, more_is_better=one.more_is_better)
        needed = rounds_to_settle(ratio) if ratio is not None and verdict == INCONCLUSIVE and one.sessions is None else None
        judged.append(replace(one, ratio=ratio, verdict=verdict, rounds_needed=needed))
    return judged


def _in_one_metric(
    points: Sequence[Side], baseline: Side, metric: MetricName, comparisons: int, *, across_hosts: bool
) -> list[Comparison]:
    *mine, theirs = without_drift([readings_of(side.trials, metric) for side in (*points, baseline)])
    begun = [Comparison(point.label, baseline.label, metric, None, more_is_better=better_if_more(metric)) for point in points]
    near = [None in {point.host, baseline.host} or point.host == baseline.host for point in points]
    gaps = [differences(readings, theirs) if same else [] for readings, same in zip(mine, near, strict=True)]
    return [
        replace(one, voided=_voided(point.trials, baseline.trials))
        if same
        else _apart(one, (point, baseline), (readings, theirs), comparisons, across_hosts=across_hosts)
        for one, point, readings, same in zip(paired(begun, gaps, comparisons), points, mine, near, strict=True)
    ]


def paired(
    begun: Sequence[Comparison], gaps: Sequence[Sequence[float]], comparisons: int, *, over_sessions: bool = False
) -> list[Comparison]:
    """The comparisons in one metric with their ratios, not judged yet.

    Args:
        begun: without a ratio.
        gaps: for each of them log(point) − log(baseline) of each pair, in the order of the rounds.
        comparisons: how many comparisons share the level.
        over_sessions: whether each of the ``gaps`` is that of a session.
    """
    found = []
    for one, values, ratio in zip(begun, gaps, ratios_of(gaps, comparisons, robust=not over_sessions), strict=True):
        sessions = len(values) if over_sessions else None
        why = None if sessions is None else too_few(sessions)
        if ratio is not None and why is not None:
            known: Ratio | None = replace(ratio, low=0.0, high=math.inf, robust_low=0.0, robust_high=math.inf, p=1.0)
        else:
            known = ratio
        found.append(replace(one, ratio=known, sessions=sessions, why=why, differences=tuple(values)))
    return found


def compare_sessions(
    points: Mapping[str, Sequence[Side]], baseline: Sequence[Side], *, primary: MetricName = PRIMARY, across_hosts: bool = False
) -> list[Comparison]:
    """Compare points with the baseline over several sessions of one sweep, each of which is one value; in the order of ``compare_points``.

    Args:
        points: for each label its sides, one for each session.
        baseline: its sides, in the order of the same sessions.
        primary: the metric that the sweep was run for.
        across_hosts: whether a session in which a point and the baseline were measured on different hosts counts.
    """
    metrics = list(COMPARED) if primary in COMPARED else [primary, *COMPARED]
    others = [metric for metric in metrics if metric != primary]
    judged = {}
    for family, level in (([primary], len(points)), (others, len(points) * len(others))):
        found = []
        for metric in family:
            gaps = _gaps_by_session(points, baseline, metric, across_hosts=across_hosts)
            more = better_if_more(metric)
            begun = [Comparison(label, baseline[0].label, metric, None, more_is_better=more) for label in gaps]
            found += paired(begun, list(gaps.values()), level, over_sessions=True)
        judged.update({(one.point, one.metric): one for one in in_family(found, level)})
    return [judged[label, metric] for label in points for metric in metrics]


def _gaps_by_session(
    points: Mapping[str, Sequence[Side]], baseline: Sequence[Side], metric: MetricName, *, across_hosts: bool
) -> dict[str, list[float]]:
    """For each label the difference from the baseline of each session in which there is one."""
    gaps: dict[str, list[float]] = {label: [] for label in points}
    for number, base in enumerate(baseline):
        sides = {label: of_sessions[number] for label, of_sessions in points.items()}
        *mine, theirs = without_drift([readings_of(side.trials, metric) for side in (*sides.values(), base)])
        for (label, side), readings in zip(sides.items(), mine, strict=True):
            if side.host == base.host:
                within = differences(readings, theirs)
            else:
                within = whole_difference(readings, theirs) if across_hosts else []
            gaps[label] += [statistics.fmean(within)] if within else []
    return gaps


def _apart(
    begun: Comparison,
    sides: tuple[Side, Side],
    readings: tuple[Readings, Readings],
    comparisons: int,
    *,
    across_hosts: bool,
) -> Comparison:
    """Two points that were measured on different hosts."""
    if not across_hosts:
        rounds = tuple(sorted({trial["round"] for side in sides for trial in side.trials}))
        return replace(begun, voided=rounds, why="they were measured on different hosts")
    mine, theirs = (session_means(one) for one in readings)
    few = min(len(mine), len(theirs))
    hosts = (str(sides[0].host), str(sides[1].host))
    return replace(begun, ratio=ratio_of_sessions(mine, theirs, comparisons), hosts=hosts, sessions=few, why=too_few(few))


def _voided(point: Sequence[TrialRecord], baseline: Sequence[TrialRecord]) -> tuple[int, ...]:
    """The rounds without a pair: one of the two is missing or failed, or they were not measured next to each other.

    Trials of different blocks are not next to each other: a round that was interrupted and resumed has no pairs across the gap.
    """
    mine, theirs = (
        {Key(one["session"], one["round"]) for one in trials if one["status"] == "ok"} for trials in (point, baseline)
    )
    every = {trial["round"] for trial in (*point, *baseline)}
    return tuple(sorted(every - {key.round for key in mine & theirs}))


def verdict_on(ratio: Ratio | None, *, more_is_better: bool) -> Verdict:
    """The verdict that both intervals support; ``inconclusive`` where they do not agree on one."""
    if ratio is None:
        return INCONCLUSIVE
    upper, lower = 1 + MARGIN, 1 / (1 + MARGIN)
    if ratio.low >= 1 and ratio.robust_low > 1 and ratio.ratio >= upper:
        return FASTER if more_is_better else SLOWER
    if ratio.high <= 1 and ratio.robust_high < 1 and ratio.ratio <= lower:
        return SLOWER if more_is_better else FASTER
    if lower < min(ratio.low, ratio.robust_low) and max(ratio.high, ratio.robust_high) < upper:
        return SAME
    return INCONCLUSIVE


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
