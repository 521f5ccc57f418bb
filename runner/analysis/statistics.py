"""Paired ratios with intervals, from trials that were run in the same rounds.

Both sides of a pair were measured in the same round, so the machine's state was much the same for both: the difference of their
logarithms is free of the drift from round to round (Bulej et al., Duet Benchmarking, 2020). Its mean has an
interval by Student's t (Kalibera & Jones, 2013), its median a robust one by signed ranks (Hodges & Lehmann, 1963).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

# Nominal rate of false differences over all comparisons of a sweep together.
ALPHA = 0.05

# Differences smaller than this do not matter, whatever their interval: ratios between 1/1.02 and 1.02 count as the same.
MARGIN = 0.02

# The largest answer to "how many rounds would settle it": more would not be run.
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Ratio:
    """A ratio of two quantities with its interval, and the robust twin of both.

    Attributes:
        n: pairs.
        ratio, low, high: exp of the mean difference of logarithms, and its interval by t. The interval is (0, inf) where there
            are fewer than two pairs.
        robust_ratio, robust_low, robust_high: the Hodges-Lehmann estimate, and its exact signed-rank interval; (0, inf) where
            there are too few pairs for this level.
        sd: standard deviation of the differences of logarithms; nan where there are fewer than two.
        alpha: the level of both intervals, after the correction for the number of comparisons.
    """

    n: int
    ratio: float
    low: float
    high: float
    robust_ratio: float
    robust_low: float
    robust_high: float
    sd: float
    alpha: float


def paired_ratio(differences: Sequence[float], comparisons: int = 1) -> Ratio:
    """The ratio whose logarithm the ``differences`` estimate, one for each pair.

    Args:
        differences: log(point) − log(baseline) of each round in which both were measured; at least one.
        comparisons: how many points are compared with the baseline; the level is divided by it (Bonferroni).

    Raises:
        ValueError: there is no difference.
    """
    if not differences:
        raise ValueError("a ratio needs at least one pair")
    n, alpha = len(differences), ALPHA / max(1, comparisons)
    mean = statistics.fmean(differences)
    sd = statistics.stdev(differences) if n > 1 else math.nan
    half = _t_quantile(1 - alpha / 2, n - 1) * sd / math.sqrt(n) if n > 1 else math.inf
    robust, robust_low, robust_high = hodges_lehmann(differences, alpha)
    return Ratio(
        n=n,
        ratio=math.exp(mean),
        low=math.exp(mean - half),
        high=_exp(mean + half),
        robust_ratio=math.exp(robust),
        robust_low=math.exp(robust_low),
        robust_high=_exp(robust_high),
        sd=sd,
        alpha=alpha,
    )


def hodges_lehmann(values: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Median of the Walsh averages, and the exact interval of level ``alpha`` from the signed-rank distribution.

    The interval is (−inf, inf) where ``len(values)`` is too small for the level. Hollander, Wolfe & Chicken, Nonparametric
    Statistical Methods, 3.1 to 3.3.
    """
    walsh = sorted((one + other) / 2 for place, one in enumerate(values) for other in values[place:])
    estimate = statistics.median(walsh)
    cut = _signed_rank_cut(len(values), alpha)
    if cut == 0:
        return estimate, -math.inf, math.inf
    return estimate, walsh[cut - 1], walsh[len(walsh) - cut]


def rounds_to_settle(ratio: Ratio) -> int | None:
    """How many rounds would give a verdict if the rest were like these; None where not even ``MOST_ROUNDS`` would.

    Either the interval excludes 1 with the ratio beyond the margin, or it lies within the margin; whichever the estimate is nearer to.
    """
    if ratio.n < 2 or math.isnan(ratio.sd):
        return None
    margin = math.log1p(MARGIN)
    distance = abs(math.log(ratio.ratio))
    needed = distance if distance >= margin else margin - distance
    for n in range(ratio.n + 1, MOST_ROUNDS + 1):
        if (
            _signed_rank_cut_exists(n, ratio.alpha)
            and _t_quantile(1 - ratio.alpha / 2, n - 1) * ratio.sd / math.sqrt(n) < needed
        ):
            return n
    return None


@cache
def _t_quantile(probability: float, freedom: int) -> float:
    from scipy import stats  # half a second to import; only needed once trials have been run

    return float(stats.t.ppf(probability, freedom))


@cache
def _signed_rank_cut(n: int, alpha: float) -> int:
    """The largest k with P(signed-rank sum < k) <= alpha/2, from the exact distribution over all 2^n signs; 0 if there is none."""
    if not _signed_rank_cut_exists(n, alpha):
        return 0
    largest = n * (n + 1) // 2
    ways = [0] * (largest + 1)
    ways[0] = 1
    for rank in range(1, n + 1):
        for total in range(largest, rank - 1, -1):
            ways[total] += ways[total - rank]
    limit, below, cut = alpha / 2 * 2**n, 0, 0
    while below + ways[cut] <= limit:
        below += ways[cut]
        cut += 1
    return cut


def _signed_rank_cut_exists(n: int, alpha: float) -> bool:
    return 0.5**n <= alpha / 2


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
