"""What the signs of differences say, at every look: how far at most the middle of the differences lies, whatever their spread and their tails.

Under the hypothesis that a difference is as often above ``x`` as below it, or more often above, each of a gambler's bets on «below» is fair or worse:
the stake λ is won or lost. By Ville's inequality his capital, (1 + λ)^m (1 − λ)^(n − m) after m of n differences below ``x``, reaches 1 / level at any
time with a probability of at most ``level`` (Waudby-Smith & Ramdas, 2024, betting; a confidence sequence for the median, Howard & Ramdas, 2022).
He divides his capital between three stakes. Turned around: the m-th smallest of n differences is an upper bound of their median, m being the least
number with which he gets there. A trial that a neighbour disturbs is one sign, however far out it lies.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

_STAKES = np.array([0.3, 0.6, 0.9])


@cache
def least_below(rounds: int, level: float) -> int:
    """m: how many of so many differences have to be below a value, so that their median is; ``rounds + 1`` if all of them would not do."""
    below = np.arange(rounds + 1)
    capital = np.logaddexp.reduce(
        below[:, None] * np.log1p(_STAKES) + (rounds - below[:, None]) * np.log1p(-_STAKES), axis=1
    ) - np.log(len(_STAKES))
    return int(np.searchsorted(capital, -np.log(level))) if capital[-1] >= -np.log(level) else rounds + 1


def highest_medians(logs: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """The upper bound of the median of y_j − y_i, of the column's point over the row's; infinite where nothing can be said.

    Args:
        logs: rounds × points: y, nan where there is none.
        level: of each pair.

    Returns:
        points × points.
    """
    gaps = np.sort(logs[:, None, :] - logs[:, :, None], axis=0)  # nan comes last
    common = (~np.isnan(gaps)).sum(0)
    places = np.array([least_below(rounds, level) for rounds in range(len(logs) + 1)])[common] - 1
    known = places < common
    bounds = np.take_along_axis(gaps, np.where(known, places, 0)[None], axis=0)[0] if len(logs) else np.zeros(common.shape)
    return np.where(known, bounds, np.inf)
