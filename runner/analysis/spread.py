"""How far differences scatter, for many comparisons at once: eight rounds tell little of it for one of them, and much for all together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# With fewer comparisons nothing is known of how spreads differ.
LEAST_COMPARISONS = 5

# All comparisons have the baseline in common: its trials are half of each spread, and it has no more rounds than the others. Twenty spreads that
# share one half of their variance are worth no more than four of their own degrees of freedom.
_MOST = 4


@dataclass(frozen=True)
class Spread:
    """A standard deviation of differences of logarithms, and the degrees of freedom behind it."""

    sd: float
    freedom: float


def spreads_of(comparisons: Sequence[Sequence[float]]) -> list[Spread | None]:
    """The spread of each comparison's differences, None where it has fewer than two.

    Each sample variance s² of d degrees of freedom is what it is, or where it is by luck smaller than the others suggest, (d₀ s₀² + d s²) /
    (d₀ + d): s₀² and d₀ are such that the logarithms of all sample variances scatter as they would (Smyth, 2004, empirical Bayes; upward only, so
    that a point that is noisier than the others keeps its noise). The degrees of freedom are then d₀ + d, at most ``_MOST`` times d.
    """
    own = [Spread(statistics.stdev(gaps), len(gaps) - 1) if len(gaps) > 1 else None for gaps in comparisons]
    known = [one for one in own if one is not None]
    if len(known) < LEAST_COMPARISONS or any(one.sd == 0 for one in known):
        return list(own)
    prior_freedom, prior_variance = _prior(known)
    shared: list[Spread | None] = []
    for one in own:
        if one is None:
            shared.append(None)
            continue
        weight = one.freedom / (one.freedom + prior_freedom) if math.isfinite(prior_freedom) else 0.0
        variance = max(one.sd**2, (1 - weight) * prior_variance + weight * one.sd**2)
        shared.append(Spread(math.sqrt(variance), min(one.freedom + prior_freedom, _MOST * one.freedom)))
    return shared


def _prior(known: Sequence[Spread]) -> tuple[float, float]:
    """d₀ and s₀²: d₀ is infinite where the variances scatter no more than samples of one variance do."""
    from scipy.special import digamma, polygamma  # a tenth of a second to import

    halves = [one.freedom / 2 for one in known]
    centred = [2 * math.log(one.sd) - float(digamma(half)) + math.log(half) for one, half in zip(known, halves, strict=True)]
    beyond = statistics.variance(centred) - statistics.fmean(float(polygamma(1, half)) for half in halves)
    middle = statistics.fmean(centred)
    if beyond <= 0:
        return math.inf, math.exp(middle)
    half = _inverse_trigamma(beyond)
    return 2 * half, math.exp(middle + float(digamma(half)) - math.log(half))


def _inverse_trigamma(value: float) -> float:
    """The x with ψ′(x) = value, by Newton's steps on 1 / ψ′ (Smyth, 2004, appendix)."""
    from scipy.special import polygamma

    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(polygamma(2, x))
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x
