"""The types of ``gate.json``: what a gate has found."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from runner.errors import ErrorRecord
from runner.record.metric_schema import MetricName

GateVerdict = Literal["worse", "not worse", "not known"]

# Why no further round was run: it is proven, the budget is spent, ``protocol.max_rounds`` is reached, a side has failed, a metric has no ratio, or the
# user ended it.
GateEnd = Literal["proven", "budget", "rounds", "failure", "no ratio", "interrupt"]


class GateSide(TypedDict):
    """One of the two sides: its words, the hash of its configuration, and why it failed, where it did."""

    overrides: list[str]
    config_hash: str
    error: NotRequired[ErrorRecord]


class GateLimit(TypedDict):
    """One metric against its limit.

    ``old`` and ``new`` are medians over all rounds; ``ratio`` is new ÷ old after ``rounds`` rounds, at least ``low`` and at most ``high``, each with a
    probability of error of ``level``. ``why`` is there where the metric has no ratio in some round.
    """

    metric: MetricName
    limit: str
    verdict: GateVerdict
    rounds: int
    old: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    level: float
    why: NotRequired[str]


class GateJson(TypedDict):
    """The content of ``gate.json``: the verdict over all limits, the exit status that stands for it, and each metric.

    ``rounds`` were whole; ``trials_s`` is what their trials took, in seconds. ``folder`` is that of the sweep's record.
    """

    schema_version: int
    verdict: Literal["worse", "not worse", "not known", "failed"]
    exit_status: int
    text: str
    ended_by: GateEnd
    rounds: int
    trials_s: float
    budget_s: float | None
    command: str
    folder: str
    old: GateSide
    new: GateSide
    limits: list[GateLimit]
    notes: list[str]
