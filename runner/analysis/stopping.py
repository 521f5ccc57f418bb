"""When there are enough rounds: at a number, or when every interval is narrow enough. Never because a difference has appeared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runner.analysis.statistics import ALPHA, Ratio, paired_ratio
from runner.record.metrics import trial_metrics
from runner.record.trial_schema import TrialRecord

# The fewest rounds before stopping on precision: an early interval is narrow by luck too often.
LEAST_ROUNDS = 8


def rounds_to_prove(points: int) -> int:
    """The fewest rounds after which a difference between a baseline and the other points can be proven at all.

    The signed-rank interval of n pairs reaches a level of 2 / 2^n, and the level is shared among the comparisons.
    """
    return math.ceil(math.log2(2 * max(1, points - 1) / ALPHA))


def half_width(ratio: Ratio) -> float:
    """Half the width of the interval, relative to the ratio: 0.02 is ± 2 %."""
    return math.inf if ratio.low <= 0 or math.isinf(ratio.high) else math.sqrt(ratio.high / ratio.low) - 1


def own_half_width(trials: Sequence[TrialRecord]) -> float:
    """The half width of the interval of one point's own images per second, relative to its value, where there is no baseline."""
    rates = [trial_metrics(trial)["images_per_s"] for trial in trials if trial["status"] == "ok"]
    logs = [math.log(rate) for rate in rates if rate]
    return half_width(paired_ratio(logs)) if len(logs) > 1 else math.inf
