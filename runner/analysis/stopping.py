"""When there are enough rounds: at a number, or when every interval is narrow enough. Never because a difference has appeared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runner.analysis.neighbours import without_drift
from runner.analysis.readings import differences, readings_of
from runner.analysis.statistics import ALPHA, Ratio, paired_ratio, ratios_of
from runner.config.options import Protocol
from runner.record.metrics import trial_metrics
from runner.record.trial_schema import TrialRecord

# The fewest rounds before stopping on precision: an early interval is narrow by luck too often. They are enough for a proof.
LEAST_ROUNDS = 8

# The fewest rounds after which a difference can be proven at all: the signed ranks of n pairs reach a level of 2 / 2^n, whatever the
# number of points, since the robust interval stands at its own level.
ROUNDS_TO_PROVE = math.ceil(math.log2(2 / ALPHA))


def least_rounds(protocol: Protocol) -> int:
    """How many rounds there are whatever they show."""
    if protocol.precision is None:
        return protocol.rounds
    return min(protocol.max_rounds, max(LEAST_ROUNDS, protocol.rounds))


def expected_rounds(protocol: Protocol, done: int, widest: float | None) -> int:
    """How many rounds there will be, as far as is known after ``done`` of them: an interval is half as wide after four times as many.

    Args:
        protocol: of the points.
        done: rounds so far.
        widest: the half width of the widest interval; None where it is not known yet.
    """
    least = least_rounds(protocol)
    if protocol.precision is None or widest is None or done < least:
        return least
    return math.ceil(min(protocol.max_rounds, max(done, done * (widest / protocol.precision) ** 2)))


def widest_half_width(points: Sequence[Sequence[TrialRecord]], baseline: Sequence[TrialRecord], comparisons: int) -> float:
    """The half width of the widest interval of the points' images per second against the baseline, relative to the ratio.

    Args:
        points: the trials of each.
        baseline: its trials.
        comparisons: how many points share the level.
    """
    *mine, theirs = without_drift([readings_of(trials, "images_per_s") for trials in (*points, baseline)])
    ratios = ratios_of([differences(readings, theirs) for readings in mine], comparisons)
    return max((math.inf if ratio is None or ratio.n < 2 else half_width(ratio) for ratio in ratios), default=0.0)


def half_width(ratio: Ratio) -> float:
    """Half the width of the interval, relative to the ratio: 0.02 is ± 2 %."""
    return math.inf if ratio.low <= 0 or math.isinf(ratio.high) else math.sqrt(ratio.high / ratio.low) - 1


def own_half_width(trials: Sequence[TrialRecord]) -> float:
    """The half width of the interval of one point's own images per second, relative to its value, where there is no baseline."""
    rates = [trial_metrics(trial)["images_per_s"] for trial in trials if trial["status"] == "ok"]
    logs = [math.log(rate) for rate in rates if rate]
    return half_width(paired_ratio(logs)) if len(logs) > 1 else math.inf
