"""Whether a repeated run agrees with the original, as far as their two intervals show.

The two were not measured in turn, so what the machine did then and does now is in the difference: it is one of two sessions, and a third would
have another. Intervals that have values in common are no agreement either: wide ones always have.
"""

from __future__ import annotations

from dataclasses import dataclass

from runner.analysis.statistics import MARGIN
from runner.analysis.verdicts import COMPARED
from runner.record.metric_schema import MetricName, Metrics, MetricSummary
from runner.record.sweep_schema import AgreementRecord

AGREES, DIFFERS, UNKNOWN = "agrees", "differs in this session", "cannot be said"

# Medians agree where the two intervals leave room for no larger difference.
WITHIN = 0.05


@dataclass(frozen=True)
class Agreement:
    """One metric, then and now.

    Attributes:
        metric: its name.
        then, now: median and 95 % interval over trials.
        outcome: ``agrees`` where they can differ by ``WITHIN`` at most, ``differs in this session`` where the intervals have no value in common
            and the medians are further apart than the margin that counts as the same; otherwise it cannot be said.
        at_most: by how much the larger may be above the smaller, as far as the intervals go: 0.1 is 10 %; None without intervals.
    """

    metric: MetricName
    then: MetricSummary | None
    now: MetricSummary | None
    outcome: str
    at_most: float | None

    def record(self) -> AgreementRecord:
        """As ``rerun.json`` has it."""
        at_most_pct = None if self.at_most is None else self.at_most * 100
        return {"metric": self.metric, "then": self.then, "now": self.now, "outcome": self.outcome, "at_most_pct": at_most_pct}


def agreement(original: Metrics, again: Metrics) -> list[Agreement]:
    """The compared metrics of two records (``metrics`` of a ``result.json``).

    No verdict of faster or slower: the two were not measured in the same rounds.
    """
    return [_agreement(metric, original.get(metric), again.get(metric)) for metric in COMPARED]


def _agreement(metric: MetricName, then: MetricSummary | None, now: MetricSummary | None) -> Agreement:
    known = [
        (one["low"], one["value"], one["high"])
        for one in (then, now)
        if one is not None and one["low"] is not None and one["value"] is not None and one["high"] is not None
    ]
    if len(known) < 2:
        return Agreement(metric, then, now, UNKNOWN, None)
    low, high = min(one[0] for one in known), max(one[2] for one in known)
    at_most = 0.0 if low == high else high / low - 1 if low > 0 else None
    if at_most is not None and at_most <= WITHIN:
        return Agreement(metric, then, now, AGREES, at_most)
    apart = max(one[0] for one in known) > min(one[2] for one in known)
    least, most = sorted(one[1] for one in known)
    differs = apart and most > least * (1 + MARGIN)
    return Agreement(metric, then, now, DIFFERS if differs else UNKNOWN, at_most)
