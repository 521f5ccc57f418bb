"""Whether differences follow each other: then the rounds of a session are fewer independent values than they seem."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

from runner.analysis.statistics import ALPHA

# With fewer rounds no correlation is noticed.
_LEAST_ROUNDS = 8


def lag_1(differences: Sequence[float]) -> float:
    """The correlation of each difference with the next; 0 where they do not differ."""
    mean = statistics.fmean(differences)
    beyond = [one - mean for one in differences]
    total = math.fsum(one**2 for one in beyond)
    return math.fsum(one * after for one, after in itertools.pairwise(beyond)) / total if total else 0.0


def follows_itself(differences: Sequence[float], comparisons: int = 1) -> bool:
    """Whether each difference is like the one before more often than by chance.

    Without correlation the lag-1 correlation of n values has about the mean −1/n and the standard deviation (n − 2) / (n √(n − 1))
    (Moran, 1948). One-sided, at the level ``ALPHA`` over all comparisons.

    Args:
        differences: in the order of the rounds.
        comparisons: how many are looked at together.
    """
    n = len(differences)
    if n < _LEAST_ROUNDS:
        return False
    limit = statistics.NormalDist().inv_cdf(1 - ALPHA / max(1, comparisons))
    return (lag_1(differences) + 1 / n) * n * math.sqrt(n - 1) / (n - 2) > limit
