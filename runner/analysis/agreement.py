"""Whether a run that was repeated came out as the original did, as far as the two intervals can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from runner.analysis.statistics import MARGIN
from runner.analysis.verdicts import COMPARED

AGREES, DIFFERS, UNKNOWN = "agrees", "differs", "cannot be said"


@dataclass(frozen=True)
class Agreement:
    """One metric, then and now.

    Attributes:
        metric: its name.
        then, now: ``{value, low, high, n}``: median and 95 % interval over trials.
        outcome: ``agrees`` where the two intervals have values in common or the medians are within the margin that counts as the
            same, ``differs`` otherwise; where one of them has too few trials for an interval, it cannot be said.
    """

    metric: str
    then: Mapping[str, Any] | None
    now: Mapping[str, Any] | None
    outcome: str

    def record(self) -> dict[str, Any]:
        """As ``rerun.json`` has it."""
        return asdict(self)


def agreement(original: Mapping[str, Any], again: Mapping[str, Any]) -> list[Agreement]:
    """The compared metrics of two records (``metrics`` of a ``result.json``).

    No verdict of faster or slower: the two were not measured in the same rounds, and what the machine did meanwhile is in both.
    """
    return [
        Agreement(metric, then, now, _outcome(then, now))
        for metric in COMPARED
        for then, now in [(original.get(metric), again.get(metric))]
    ]


def _outcome(then: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> str:
    if then is None or now is None or any(side[end] is None for side in (then, now) for end in ("low", "high")):
        return UNKNOWN
    overlap = then["low"] <= now["high"] and now["low"] <= then["high"]
    least, most = sorted((then["value"], now["value"]))
    return AGREES if overlap or 0 < most <= least * (1 + MARGIN) else DIFFERS
