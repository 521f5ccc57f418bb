"""Paired ratios with intervals, from trials that were run in the same rounds.

Both sides of a pair were measured in the same round, so the machine's state was much the same for both: the difference of their
logarithms is free of the drift from round to round (Bulej et al., Duet Benchmarking, 2020). Its mean has an
interval by Student's t (Kalibera & Jones, 2013), its median a robust one by signed ranks (Hodges & Lehmann, 1963).

Where several points are compared, they share the level of the t interval. The robust twin stands at its own level: it is there to refuse
what a few odd trials have caused, and at a shared level it could prove nothing in a dozen rounds.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from runner.analysis.spread import Spread, spreads_of

# Nominal rate of false differences over all comparisons of a sweep together.
ALPHA = 0.05

# Differences smaller than this do not matter, whatever their interval: ratios between 1/1.02 and 1.02 count as the same.
MARGIN = 0.02

# The largest answer to "how many rounds would settle it": more would not be run.
MOST_ROUNDS = 1000

# How much signed ranks know of a mean, for normal values, beside Student's t: 3 / π of the rounds (Hodges & Lehmann, 1956).
_RANKS = 3 / math.pi

# How often the rounds that are named to settle a comparison do.
POWER = 0.8


@dataclass(frozen=True)
class Ratio:
    """A ratio of two quantities with its interval, and the robust twin of both.

    Attributes:
        n: pairs; or sessions, where each is one value.
        ratio, low, high: exp of the mean difference of logarithms, and its interval by t. The interval is (0, inf) where there
            are fewer than two pairs.
        robust_ratio, robust_low, robust_high: the Hodges-Lehmann estimate, and its exact signed-rank interval at the level ``ALPHA``;
            (0, inf) where there are fewer than six pairs.
        sd: standard deviation of the differences of logarithms, as it was taken to be; nan where there are fewer than two.
        alpha: the level of the t interval, after the correction for the number of comparisons.
        p: of Student's two-sided test that the ratio is 1; 1 where there are fewer than two pairs.
        freedom: the degrees of freedom behind ``sd``.
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
    p: float = 1.0
    freedom: float = 0


def paired_ratio(
    differences: Sequence[float], comparisons: int = 1, *, robust: bool = True, spread: Spread | None = None
) -> Ratio:
    """The ratio whose logarithm the ``differences`` estimate, one for each pair.

    Args:
        differences: log(point) − log(baseline) of each round in which both were measured; at least one.
        comparisons: how many comparisons share the level; that of the t interval is divided by it (Bonferroni).
        robust: whether the robust twin is asked; means over whole sessions need none, and have the t interval in its place.
        spread: of the differences; their own standard deviation if None.

    Raises:
        ValueError: there is no difference.
    """
    if not differences:
        raise ValueError("a ratio needs at least one pair")
    n, alpha = len(differences), ALPHA / max(1, comparisons)
    mean = statistics.fmean(differences)
    if spread is None:
        spread = Spread(statistics.stdev(differences), n - 1) if n > 1 else Spread(math.nan, 0)
    error = spread.sd / math.sqrt(n)
    half = t_quantile(1 - alpha / 2, spread.freedom) * error if n > 1 else math.inf
    middle, robust_low, robust_high = hodges_lehmann(differences, ALPHA) if robust else (mean, mean - half, mean + half)
    return Ratio(
        n=n,
        ratio=math.exp(mean),
        low=math.exp(mean - half),
        high=_exp(mean + half),
        robust_ratio=math.exp(middle),
        robust_low=math.exp(robust_low),
        robust_high=_exp(robust_high),
        sd=spread.sd,
        alpha=alpha,
        p=_p_value(mean, error, spread.freedom),
        freedom=spread.freedom,
    )


def ratios_of(comparisons: Sequence[Sequence[float]], shared_by: int, *, robust: bool = True) -> list[Ratio | None]:
    """The ratio of each comparison in one metric, None where it has no pair; many of them share what is known of their spread.

    Args:
        comparisons: the differences of each, as ``paired_ratio`` takes them.
        shared_by: how many comparisons share the level.
        robust: as there.
    """
    spreads = spreads_of(comparisons)
    return [
        paired_ratio(gaps, shared_by, robust=robust, spread=spread) if gaps else None
        for gaps, spread in zip(comparisons, spreads, strict=True)
    ]


def step_down(ratios: Sequence[Ratio | None], comparisons: int, level: float = ALPHA) -> list[Ratio | None]:
    """The ratios of one family of comparisons, by Holm's steps: the intervals of those whose ratio is proven not to be 1 end there.

    The smallest p-value is held against level ÷ comparisons, the next against level ÷ (comparisons − 1), and so on, up to the first that
    is too large (Holm, 1979). An interval that contains 1 though 1 is excluded by a later step is cut there; the intervals still hold all
    together (Strassburger & Bretz, 2008).

    Args:
        ratios: None is a comparison without a pair.
        comparisons: how many share the level, those without a pair among them.
        level: of the family.
    """
    cut = list(ratios)
    places = [place for place, ratio in enumerate(ratios) if ratio is not None]
    for step, place in enumerate(sorted(places, key=lambda place: _p_of(ratios[place]))):
        ratio = ratios[place]
        if ratio is None or ratio.p > level / max(1, comparisons - step):
            break
        cut[place] = replace(ratio, low=max(ratio.low, 1.0)) if ratio.ratio > 1 else replace(ratio, high=min(ratio.high, 1.0))
    return cut


def hodges_lehmann(values: Sequence[float], alpha: float) -> tuple[float, float, float]:
    """Median of the Walsh averages, and the exact interval of level ``alpha`` from the signed-rank distribution.

    The interval is (−inf, inf) where ``len(values)`` is too small for the level. Hollander, Wolfe & Chicken, Nonparametric
    Statistical Methods, 3.1 to 3.3.
    """
    walsh = sorted((one + other) / 2 for place, one in enumerate(values) for other in values[place:])
    estimate = statistics.median(walsh)
    cut = signed_rank_cut(len(values), alpha)
    if cut == 0:
        return estimate, -math.inf, math.inf
    return estimate, walsh[cut - 1], walsh[len(walsh) - cut]


def rounds_to_settle(ratio: Ratio) -> int | None:
    """How many rounds would give a verdict in four of five sweeps, if the rest were like these; None where not even ``MOST_ROUNDS`` would.

    Where the estimate is beyond the margin, both the interval has to exclude 1 and the next estimate to be beyond the margin; otherwise the
    interval has to lie within the margin at both ends. Beside the half width of the interval there has to be room for what the next estimate
    may differ by: t of ``POWER``, or of half way between it and 1 where it may be too large or too small.
    """
    if ratio.n < 2 or math.isnan(ratio.sd):
        return None
    margin, distance = math.log1p(MARGIN), abs(math.log(ratio.ratio))
    for n in range(ratio.n + 1, MOST_ROUNDS + 1):
        error, freedom = ratio.sd / math.sqrt(n * _RANKS), _freedom(ratio, n)
        half = t_quantile(1 - ratio.alpha / 2, freedom) * error
        room = t_quantile(POWER if distance >= margin else (1 + POWER) / 2, freedom) * error
        settles = half + room < distance and room < distance - margin if distance >= margin else half + room < margin - distance
        if signed_rank_exists(n, ALPHA) and settles:
            return n
    return None


def _freedom(ratio: Ratio, n: int) -> float:
    """The degrees of freedom that so many rounds would have."""
    return (n - 1) * max(1.0, ratio.freedom / (ratio.n - 1))


def detectable(ratios: Sequence[Ratio]) -> float | None:
    """The least ratio that these rounds would have told from 1 in four of five sweeps; None where there are no two pairs.

    exp((t of 1 − level/2 + t of 0.8) · S / √n), with S pooled over the ratios (Kalibera & Jones, 2013, for the spread of differences).
    """
    usable = [ratio for ratio in ratios if ratio.n > 1 and not math.isnan(ratio.sd)]
    freedom = sum(ratio.n - 1 for ratio in usable)
    if not freedom:
        return None
    pooled = math.sqrt(sum((ratio.n - 1) * ratio.sd**2 for ratio in usable) / freedom)
    least = min(usable, key=lambda ratio: ratio.n)
    reach = t_quantile(1 - least.alpha / 2, least.freedom) + t_quantile(POWER, least.freedom)
    return _exp(reach * pooled / math.sqrt(least.n))


@cache
def t_quantile(probability: float, freedom: float) -> float:
    """Of Student's t with ``freedom`` degrees of freedom."""
    from scipy.special import stdtrit  # a tenth of a second to import; only needed once trials have been run

    return float(stdtrit(freedom, probability))


def _p_value(mean: float, error: float, freedom: float) -> float:
    if math.isnan(error) or mean == 0:
        return 1.0
    if error == 0:
        return 0.0
    from scipy.special import stdtr

    return 2 * float(stdtr(freedom, -abs(mean) / error))


def _p_of(ratio: Ratio | None) -> float:
    return 1.0 if ratio is None else ratio.p


@cache
def signed_rank_cut(n: int, alpha: float) -> int:
    """The largest k with P(signed-rank sum < k) <= alpha/2, from the exact distribution over all 2^n signs; 0 if there is none."""
    if not signed_rank_exists(n, alpha):
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


def signed_rank_exists(n: int, alpha: float) -> bool:
    """Whether the signed ranks of ``n`` values can reach this level at all: the rarest sum has a probability of 2 / 2^n, two-sided."""
    return 0.5**n <= alpha / 2


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
