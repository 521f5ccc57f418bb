"""Which point to take: for each criterion, the cheapest of the points that are not provably worse than the best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.analysis.statistics import ALPHA, paired_ratio
from runner.analysis.verdicts import SLOWER, verdict_on
from runner.config.registry import keys_of
from runner.config.restore import choices_of
from runner.record.metric_schema import MetricName
from runner.record.metrics import trial_metrics
from runner.record.reading import PointRecord, good_trials, value_of

# For each criterion: the metric, and whether more of it is better.
CRITERIA: Mapping[str, tuple[MetricName, bool]] = {
    "throughput": ("images_per_s", True),
    "latency": ("latency_p95_ms", False),
    "memory": ("peak_memory_mb", False),
    "cost": ("cpu_s_per_image", False),
}


@dataclass(frozen=True)
class Recommendation:
    """The point to take by one criterion.

    Attributes:
        criterion: one of ``CRITERIA``.
        point: what to take.
        best: the point with the best median, which is the same one or not provably better.
        as_good: how many points are not provably worse than the best.
        proven: how many are.
        provable: whether there were rounds enough for any proof.
    """

    criterion: str
    point: PointRecord
    best: PointRecord
    as_good: int
    proven: int
    provable: bool = True


def recommended(points: Sequence[PointRecord], criterion: str) -> Recommendation | None:
    """The cheapest (CPU seconds an image, then memory) of the points that are not provably worse than the best by ``criterion``.

    None where no point has a value. Proof is a paired verdict over the rounds that two points have in common. Where there are too few of
    those for any proof, the best by its median is named: that nothing can be proven does not make a slow point a good one.
    """
    metric, more_is_better = CRITERIA[criterion]
    usable = [point for point in points if value_of(point, metric) is not None and point.record["status"] == "ok"]
    if not usable:
        return None
    best = sorted(usable, key=lambda point: value_of(point, metric) or 0.0, reverse=more_is_better)[0]
    others = len(usable) - 1
    if not _can_prove(best, others):
        return Recommendation(criterion, best, best, len(usable), 0, provable=False)
    as_good = [
        point
        for point in usable
        if point is best or not _provably_worse(point, best, metric, others, more_is_better=more_is_better)
    ]
    cheapest = min(
        as_good, key=lambda point: (_rounded(value_of(point, "cpu_s_per_image")), value_of(point, "peak_memory_mb") or 0.0)
    )
    return Recommendation(criterion, cheapest, best, len(as_good), len(usable) - len(as_good))


def words_for(recommendation: Recommendation) -> list[str]:
    """The overrides that choose the point again, with any protocol, monitor and number of images.

    Raises:
        ConfigurationError: its configuration is not one of this program.
    """
    words = choices_of(recommendation.point.record["config"])
    passed_on = keys_of(lambda role: role.passed_on)
    return [word for word in words if word.partition("=")[0].partition(".")[0] in passed_on]


def _can_prove(best: PointRecord, comparisons: int) -> bool:
    """Whether the robust interval exists for that many rounds and comparisons: with n rounds it reaches a level of 2 / 2^n."""
    return comparisons == 0 or 2 * 0.5 ** len(good_trials(best)) <= ALPHA / comparisons


def _provably_worse(
    point: PointRecord, best: PointRecord, metric: MetricName, comparisons: int, *, more_is_better: bool
) -> bool:
    mine, theirs = _by_round(point, metric), _by_round(best, metric)
    differences = [math.log(mine[one] / theirs[one]) for one in mine if one in theirs]
    ratio = paired_ratio(differences, comparisons) if differences else None
    return verdict_on(ratio, more_is_better=more_is_better) == SLOWER


def _by_round(point: PointRecord, metric: MetricName) -> dict[tuple[str, int], float]:
    """By block and round: only trials of one block make pairs."""
    values = {(trial["session"], trial["round"]): trial_metrics(trial)[metric] for trial in good_trials(point)}
    return {key: value for key, value in values.items() if value is not None and value > 0}


def _rounded(value: float | None) -> float:
    """To two digits: a cost that differs by less decides nothing."""
    return math.inf if value is None else float(f"{value:.1e}")
