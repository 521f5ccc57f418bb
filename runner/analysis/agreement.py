"""Whether a repeated run agrees with the original, as far as their two intervals show."""

from __future__ import annotations

from dataclasses import dataclass

from runner.analysis.statistics import MARGIN
from runner.analysis.verdicts import COMPARED
from runner.record.metric_schema import MetricName, Metrics, MetricSummary
from runner.record.sweep_schema import AgreementRecord

AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "cannot be said"


@dataclass(frozen=True)
class Agreement:
    """One metric, then and now.

    Attributes:
        metric: its name.
        then, now: median and 95 % interval over trials.
        outcome: ``agrees`` where the two intervals have values in common or the medians are within the margin that counts as the
            same, ``differs`` otherwise; where one of them has too few trials for an interval, it cannot be said.
    """

    metric: MetricName
    then: MetricSummary | None
    now: MetricSummary | None
    outcome: str

    def record(self) -> AgreementRecord:
        """As ``rerun.json`` has it."""
        return {"metric": self.metric, "then": self.then, "now": self.now, "outcome": self.outcome}


def agreement(original: Metrics, again: Metrics) -> list[Agreement]:
    """The compared metrics of two records (``metrics`` of a ``result.json``).

    No verdict of faster or slower: the two were not measured in the same rounds, and what the machine did meanwhile is in both.
    """
    return [
        Agreement(metric, then, now, _outcome(then, now))
        for metric in COMPARED
        for then, now in [(original.get(metric), again.get(metric))]
    ]


def _outcome(then: MetricSummary | None, now: MetricSummary | None) -> str:
    if then is None or now is None or then["value"] is None or now["value"] is None:
        return UNKNOWN
    if then["low"] is None or then["high"] is None or now["low"] is None or now["high"] is None:
        return UNKNOWN
    overlap = then["low"] <= now["high"] and now["low"] <= then["high"]
    least, most = sorted((then["value"], now["value"]))
    return AGREES if overlap or 0 < most <= least * (1 + MARGIN) else DIFFERS
