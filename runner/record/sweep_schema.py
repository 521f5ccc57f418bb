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


class ComparisonRecord(TypedDict):
    """A point against the baseline in one metric.

    ``ratio`` is point ÷ baseline, from ``low`` to ``high`` at the level ``alpha``; ``robust`` is the ratio by signed ranks with its
    interval. None is an interval without an end, or no pair.
    """

    point: Name
    baseline: Name
    metric: MetricName
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


class SweepJson(TypedDict):
    """The content of ``sweep.json``: the points, and what their comparison showed."""

    schema_version: int
    id: NotRequired[Id]
    command: str
    baseline: Name
    points: list[SweepPoint]
    comparisons: list[ComparisonRecord]
    self_check: ComparisonRecord | None
    trusted: bool
    warnings: list[WarningRecord]


class AgreementRecord(TypedDict):
    """One metric of a record and of its repetition."""

    metric: MetricName
    then: MetricSummary | None
    now: MetricSummary | None
    outcome: str


class RepeatedPoint(TypedDict):
    """How a repeated point came out; ``same_results`` is None where one of the two has no digest."""

    name: str
    same_configuration: bool
    same_results: bool | None
    metrics: list[AgreementRecord]


class RerunJson(TypedDict):
    """The content of ``rerun.json``: what differs from the original ``of``, and how each point came out."""

    of: str | None
    differences: list[Difference]
    points: list[RepeatedPoint]
