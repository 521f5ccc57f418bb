"""Which point to take: for each criterion, the cheapest of the points that are proven to be as good as the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.config.metrics import CRITERIA
from runner.config.registry import keys_of, names_code
from runner.config.restore import choices_of
from runner.record.reading import PointRecord

# Of records from before it could be chosen.
_INDIFFERENCE = 0.05


@dataclass(frozen=True)
class Recommendation:
    """The point to take by one criterion.

    Attributes:
        criterion: one of ``CRITERIA``.
        point: what to take.
        best: the point that leads: the one with the least bound.
        bound_pct: nothing is more than this much better than ``point``, in per cent; None where nothing can be said.
        within_pct: how much less than the best is as good.
        as_good: how many points are proven to be as good as the best.
        considered: how many points there are with results.
    """

    criterion: str
    point: PointRecord
    best: PointRecord
    bound_pct: float | None
    within_pct: float
    as_good: int
    considered: int

    @property
    def proven(self) -> bool:
        """Whether the point is proven to be as good as the best."""
        return self.bound_pct is not None and self.bound_pct <= self.within_pct


def recommended(points: Sequence[PointRecord], criterion: str, *, raced: bool = False) -> Recommendation | None:
    """The cheapest (CPU seconds an image, then memory) of the points than which nothing is better by more than ``protocol.indifference``.

    Where no point is proven to be that good, the one with the least bound. That a point is not provably worse makes it no good one: with
    few rounds, nothing is provably worse. None where no point has a value.

    Args:
        points: of one sweep.
        criterion: one of ``CRITERIA``.
        raced: whether points of the sweep dropped out by their throughput.
    """
    from runner.analysis.candidates import candidate_of, question, steadied  # NumPy comes with it
    from runner.analysis.conclusion import conclude

    metric = CRITERIA[criterion]
    raced = raced and metric == "images_per_s"
    points = [point for point in points if point.record["config"].get("skip", "none") == "none"]  # others leave stages out
    candidates = [candidate_of(point, metric) for point in points]
    usable = [one for one in candidates if one.readings and not one.failed]
    if not usable:
        return None
    indifference = float(points[0].record["config"].get("protocol", {}).get("indifference", _INDIFFERENCE))
    found = conclude(candidates if raced else steadied(usable), question(metric, indifference, raced=raced))
    by_label = {point.label: point for point in points}
    bounds = list(found.behind.values())
    return Recommendation(
        criterion=criterion,
        point=by_label[found.recommended or ""],
        best=by_label[found.answer["best"] or ""],
        bound_pct=found.answer["recommended_bound_pct"],
        within_pct=indifference * 100,
        as_good=sum(bound <= math.log1p(indifference) for bound in bounds),
        considered=len(usable),
    )


def words_for(recommendation: Recommendation) -> list[str]:
    """The overrides that choose the point again, with any protocol, monitor and number of images; code that the record names is left out.

    Raises:
        ConfigurationError: its configuration is not one of this program.
    """
    words = choices_of(recommendation.point.record["config"])
    passed_on, code = keys_of(lambda role: role.passed_on), names_code()
    return [word for word in words if (key := word.partition("=")[0]).partition(".")[0] in passed_on and key not in code]


def code_left_out(recommendation: Recommendation) -> list[str]:
    """The keys by which the record names code: it is not passed on, because a record may be a stranger's."""
    named = {word.partition("=")[0] for word in choices_of(recommendation.point.record["config"])}
    return [key for key in names_code() if key in named]
