"""The types of ``sweep.json`` and ``rerun.json``. Keys that are not required came later: records from before lack them."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from runner.host.environment import Difference
from runner.record.limits import Folder, Id, Name
from runner.record.metric_schema import MetricName, Metrics, MetricSummary
from runner.record.point_schema import Status, WarningRecord

Verdict = Literal["faster", "slower", "same", "inconclusive"]


class PointFailure(TypedDict):
    """Why a point failed; the traceback is in its own record."""

    type: str
    message: str


class SweepPoint(TypedDict):
    """A point of a sweep; ``name`` is its label among the points, ``folder`` is relative to the sweep's."""

    id: NotRequired[Id]
    name: Name
    overrides: list[str]
    folder: Folder
    host: NotRequired[Name | None]
    status: Status
    error: PointFailure | None
    config_hash: Name
    rounds: NotRequired[int]
    metrics: Metrics
    warnings: list[WarningRecord]


class Compared(TypedDict):
    """A point against the baseline.

    ``ratio`` is point ÷ baseline, from ``low`` to ``high`` at the level ``alpha``; ``robust`` is the ratio by signed ranks with its
    interval. None is an interval without an end, or no pair. ``sessions`` is how many sessions were pooled, each one value; ``why`` says
    why there can be no verdict.
    """

    point: Name
    baseline: Name
    ratio: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    n: int
    alpha: float | None
    robust: list[float | None] | None
    rounds_needed: int | None
    voided_rounds: list[int]
    hosts: NotRequired[list[str] | None]
    sessions: NotRequired[int | None]
    why: NotRequired[str | None]


class ComparisonRecord(Compared):
    """A point against the baseline in one metric."""

    metric: MetricName


class ValueComparison(Compared):
    """The same for values that were measured elsewhere."""

    metric: Literal["value"]


StandingState = Literal["leader", "may_be_best", "out"]


class AnswerRecord(TypedDict):
    """The answer to what was asked.

    ``best`` leads; nothing is more than ``bound_pct`` per cent better than it, None where nothing can be said, and it is ``proven`` where
    that is within the indifference. ``recommended`` is the cheapest point that is proven to be as good, with its own bound.
    """

    text: str
    best: Name | None
    bound_pct: float | None
    criterion: str
    proven: bool
    recommended: Name | None
    recommended_bound_pct: float | None


class RankedRecord(TypedDict):
    """Where a point stands, the best first.

    ``value`` is the median from ``low`` to ``high``. The best of all is at most ``below_best_at_most_pct`` per cent better than the point;
    ``why`` says why that is None. A point that is ``out`` is proven to be worse than another; in a race, after ``out_in_round`` rounds.
    """

    point: Name
    value: float | None
    low: float | None
    high: float | None
    below_best_at_most_pct: float | None
    state: StandingState
    out_in_round: int | None
    why: str | None


# One of the keys is a word of Python.
RaceRecord = TypedDict("RaceRecord", {"round": int, "in": list[str], "leader": str, "bound_pct": float | None})
RaceRecord.__doc__ = (
    """What a race had come to after so many rounds: which points are measured in the next, and the leader with its bound."""
)


class FrontPoint(TypedDict):
    """Whether a point is on the front: None, or one on it that is proven to beat this point."""

    point: Name
    beaten_by: Name | None


class FrontRecord(TypedDict):
    """The points that nothing beats in all ``objectives`` together, and those that something does."""

    objectives: list[MetricName]
    points: list[FrontPoint]


class SweepJson(TypedDict):
    """The content of ``sweep.json``: the points, and what their comparison showed.

    ``images_per_epoch`` is the number that was found for all points with images=auto; None where it was given.
    ``detectable_pct`` is the least difference from the baseline that these rounds would have found in four of five sweeps.
    """

    schema_version: int
    id: NotRequired[Id]
    command: str
    baseline: Name
    images_per_epoch: NotRequired[int | None]
    points: list[SweepPoint]
    comparisons: list[ComparisonRecord]
    answer: NotRequired[AnswerRecord | None]
    ranking: NotRequired[list[RankedRecord]]
    race: NotRequired[list[RaceRecord]]
    front: NotRequired[FrontRecord | None]
    detectable_pct: NotRequired[float | None]
    self_check: ComparisonRecord | None
    trusted: bool
    warnings: list[WarningRecord]


class AgreementRecord(TypedDict):
    """One metric of a record and of its repetition; by at most ``at_most_pct`` one may be above the other, as far as the intervals go."""

    metric: MetricName
    then: MetricSummary | None
    now: MetricSummary | None
    outcome: str
    at_most_pct: NotRequired[float | None]


class RepeatedPoint(TypedDict):
    """How a repeated point came out; ``same_results`` is None where one of the two has no digest."""

    name: str
    same_configuration: bool
    same_results: bool | None
    metrics: list[AgreementRecord]


class RerunJson(TypedDict):
    """The content of ``rerun.json``: what differs from the original ``of``, and how each point came out.

    ``in_turn`` compares each point that was changed with the same point as recorded, where both ran in the same rounds.
    """

    of: str | None
    differences: list[Difference]
    points: list[RepeatedPoint]
    in_turn: NotRequired[list[ComparisonRecord]]


class DecisionJson(TypedDict):
    """What ``runner decide --json`` prints: the same analysis for values that were measured elsewhere."""

    answer: AnswerRecord
    ranking: list[RankedRecord]
    comparisons: list[ValueComparison]
    race: NotRequired[list[RaceRecord]]
    notes: list[str]
