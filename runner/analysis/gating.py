"""A gate: whether a change has made a metric worse than a limit, looked at after every round, by bounds that hold at all looks together.

What is measured is the ratio new ÷ old of each round, in which both were run one after the other; d is its logarithm. Two bounds of a race
(``runner.analysis.racing``) enclose d from each side, each with its share of the level of that side:

* **Student's t without a price for looking**, 75 %, of the mean of d: the paired t e-process with the spread of these differences alone.
  A race also borrows spreads from other points and knows a spread that trials of throughput do not reach; a gate is of two points and of any
  metric, so it does neither.
* **Signs**, 25 %, of the median of d (``runner.analysis.signs``): no spread, and no tail, is in the way.

«Worse» is said where the whole interval is on the wrong side of the limit, «not worse» where it is on the right one. By Ville's inequality each is
wrong in at most 5 % of gates, whenever they are ended; where several limits are given, they share the 5 % (Bonferroni). One side of the t e-process
has half of its level by symmetry, which spikes and tails break a little: that is held by simulation (``benchmarks/simulation.py --only gate``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from runner.analysis.racing import SIGNS_SHARE, own_width
from runner.analysis.signs import least_below
from runner.analysis.statistics import ALPHA
from runner.analysis.verdicts import better_if_more
from runner.errors import ConfigurationError
from runner.record.gating_schema import GateVerdict
from runner.record.metric_schema import MetricName

WORSE: Final = "worse"
NOT_WORSE: Final = "not worse"
NOT_KNOWN: Final = "not known"

_LIMIT = re.compile(r"\s*(?P<metric>\w+)\s*(?P<sign>[<>])\s*(?P<ratio>\d*\.?\d+)\s*", re.ASCII)

# It is 0 where all is well, and 0 has no ratio.
_NO_RATIO = "images_failed"


@dataclass(frozen=True)
class Limit:
    """What counts as worse: a metric whose ratio new ÷ old is below ``ratio``, or above it where less is better."""

    metric: MetricName
    ratio: float

    @property
    def more_is_better(self) -> bool:
        """Whether a larger ratio is better."""
        return better_if_more(self.metric)

    def __str__(self) -> str:
        return f"{self.metric}{'<' if self.more_is_better else '>'}{self.ratio:g}"


@dataclass(frozen=True)
class Judged:
    """How one metric stands against its limit.

    Attributes:
        limit: as given.
        verdict: what is proven.
        rounds: whose pairs were looked at; those after the one that proved it are not.
        ratio: new ÷ old, exp of the mean of d; None without a pair.
        low, high: with 1 − level it is at least, and at most, this; None where that is not known.
        level: of each side.
        missing: rounds of these in which the metric has no ratio, so that nothing can be proven.
    """

    limit: Limit
    verdict: GateVerdict
    rounds: int
    ratio: float | None
    low: float | None
    high: float | None
    level: float
    missing: int = 0


def limit_of(text: str) -> Limit:
    """The limit in ``images_per_s<0.95`` or ``peak_memory_mb>1.05``.

    Raises:
        ConfigurationError: it is none, or its sign says that better is worse.
    """
    match = _LIMIT.fullmatch(text)
    if match is None or not 0 < float(match["ratio"]) < math.inf:
        accepted = "METRIC<RATIO or, where less is better, METRIC>RATIO, of new to old, such as 'images_per_s<0.95'"
        raise ConfigurationError("--fail-if", text, "is no limit", accepted)
    known = [name for literal in get_args(MetricName) for name in (get_args(literal) or (literal,)) if name != _NO_RATIO]
    if match["metric"] not in known:
        reason = "is 0 where all is well, and 0 has no ratio" if match["metric"] == _NO_RATIO else "there is no such metric"
        raise ConfigurationError("--fail-if", text, f"{match['metric']} {reason}", ", ".join(known))
    limit = Limit(cast("MetricName", match["metric"]), float(match["ratio"]))
    if (match["sign"] == "<") != limit.more_is_better:
        direction = "more" if limit.more_is_better else "less"
        raise ConfigurationError("--fail-if", text, f"{direction} {limit.metric} is better", f"'{limit}'")
    return limit


def judge(limit: Limit, gaps: Sequence[float], shared_by: int = 1) -> Judged:
    """How a metric stands after these rounds. Once something is proven, later rounds do not change it.

    Args:
        limit: what counts as worse.
        gaps: log(new) − log(old) of each round; nan where there is none, and then nothing is proven.
        shared_by: how many limits share the level.
    """
    level = ALPHA / shared_by
    values = np.asarray(gaps, dtype=float)
    missing = int(np.isnan(values).sum())
    there = values[~np.isnan(values)]
    if not len(there):
        return Judged(limit, NOT_KNOWN, len(values), None, None, None, level, missing)
    low, high = bounds(there, level)
    at = math.log(limit.ratio)
    proven = (low > at) | (high < at)
    last = int(proven.argmax()) if proven.any() and not missing else len(there) - 1
    verdict: GateVerdict = NOT_KNOWN
    if proven[last] and not missing:
        verdict = NOT_WORSE if (low[last] > at) == limit.more_is_better else WORSE
    rounds = len(values) if missing else last + 1
    ratio = math.exp(float(there[: last + 1].mean()))
    return Judged(limit, verdict, rounds, ratio, _exp(float(low[last])), _exp(float(high[last])), level, missing)


def bounds(gaps: NDArray[np.float64], level: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From below and from above: what d is at least, and at most, at each look; infinite where nothing can be said.

    Args:
        gaps: d of each round, along the last axis; axes before it are gates of their own.
        level: of each side, at all looks together.
    """
    count = np.arange(1.0, gaps.shape[-1] + 1)
    mean = gaps.cumsum(-1) / count
    from_first = gaps - gaps[..., :1]  # so that no digits are lost where all are alike
    squares = (from_first**2).cumsum(-1) - from_first.cumsum(-1) ** 2 / count
    width = own_width(count, np.maximum(squares, 0.0) / np.maximum(count - 1, 1.0), 2 * level * (1 - SIGNS_SHARE))
    low, high = mean - width, mean + width
    for rounds in range(1, gaps.shape[-1] + 1):
        least = least_below(rounds, level * SIGNS_SHARE)
        if least <= rounds:
            ordered = np.sort(gaps[..., :rounds], -1)
            high[..., rounds - 1] = np.minimum(high[..., rounds - 1], ordered[..., least - 1])
            low[..., rounds - 1] = np.maximum(low[..., rounds - 1], ordered[..., rounds - least])
    return low, high


def _exp(bound: float) -> float | None:
    return math.exp(bound) if math.isfinite(bound) and bound < 700 else None
