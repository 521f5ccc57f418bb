"""What was measured of one metric, ready to be paired: the logarithm of each trial's value, by block and round."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.record.metric_schema import MetricName
from runner.record.metrics import trial_metrics
from runner.record.trial_schema import TrialRecord


class Key(NamedTuple):
    """Which trials make a pair: those of one round, in one block of trials that ran without a gap."""

    session: str
    round: int


class Reading(NamedTuple):
    """A trial's value as its natural logarithm, and its place among the trials of its round."""

    log: float
    order: int


# Those of one point.
Readings = Mapping[Key, Reading]


def readings_of(trials: Sequence[TrialRecord], metric: MetricName) -> dict[Key, Reading]:
    """One for each trial that succeeded and has a value above 0."""
    readings = {}
    for trial in trials:
        if trial["status"] == "ok" and (value := trial_metrics(trial).get(metric)):
            readings[Key(trial["session"], trial["round"])] = Reading(math.log(value), trial["order"])
    return readings


def differences(one: Readings, other: Readings) -> list[float]:
    """log(one) − log(other) of each round that they have in common, in the order of the rounds."""
    return [one[key].log - other[key].log for key in sorted(one.keys() & other.keys())]
