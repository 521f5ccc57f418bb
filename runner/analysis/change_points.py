"""Where a series of values changes its level, and keeps it: E-divisive, by energy statistics and permutation tests.

Matteson & James, A nonparametric approach for multiple change point analysis of multivariate data, 2014 (the method of R's package ``ecp``; Apache
Otava uses it for benchmarks). The distance of two parts of a series, of m and n values, is

    q = mn / (m + n) · (2/(mn) Σ|x_i − y_j| − 2/(m(m−1)) Σ|x_i − x_k| − 2/(n(n−1)) Σ|y_j − y_k|).

Of all places in all segments, the one with the largest q is a candidate. It is a change if few of the permutations of the values within the segments
that are there so far have a place with as large a q; then the search goes on with it as another border. The second part may end before the segment
does, so that a change that was undone is not hidden. No distribution is assumed, but values have to be exchangeable where nothing changes: a slow drift
is a change, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# A level has to last for so many values.
LEAST = 5

# The permutations of a test, and the largest share of them that may have as large a q: p = (1 + as large) / (1 + PERMUTATIONS).
PERMUTATIONS = 499
LEVEL = 0.01

# The same series gives the same changes.
_SEED = 0


@dataclass(frozen=True)
class Change:
    """A change of level.

    Attributes:
        at: the place of the first value after it.
        before, after: medians of the segments on both sides.
        p: of the permutation test.
    """

    at: int
    before: float
    after: float
    p: float


def changes(values: Sequence[float], level: float = LEVEL) -> list[Change]:
    """The changes of level in a series, in its order.

    Args:
        values: finite, in the order of time.
        level: of the test of each candidate. The first one that fails ends the search, so that a series without a change shows one with
            about this probability.
    """
    series = np.asarray(values, dtype=float)
    borders, found = [0, len(series)], dict[int, float]()
    draw = np.random.default_rng(_SEED)
    while (best := _best(series, borders)) is not None:
        p = _p_of(best[0], series, borders, draw, level)
        if p > level:
            break
        found[best[1]] = p
        borders = sorted([*borders, best[1]])
    if not found:
        return []
    medians = {start: float(np.median(series[start:end])) for start, end in pairwise(borders)}
    return [Change(after, medians[before], medians[after], found[after]) for before, after in pairwise(borders[:-1])]


def _p_of(q: float, series: NDArray[np.float64], borders: Sequence[int], draw: np.random.Generator, level: float) -> float:
    """The share of permutations within the segments that have a place with as large a q; once it is above the level, no more are made."""
    as_large = 1
    for _ in range(PERMUTATIONS):
        shuffled = np.concatenate([draw.permutation(series[start:end]) for start, end in pairwise(borders)])
        best = _best(shuffled, borders)
        as_large += best is not None and best[0] >= q
        if as_large > level * (1 + PERMUTATIONS):
            break
    return as_large / (1 + PERMUTATIONS)


def _best(series: NDArray[np.float64], borders: Sequence[int]) -> tuple[float, int] | None:
    """The largest q of all segments and its place; None where every segment is too short to be divided."""
    found = [(_of_segment(series[start:end]), start) for start, end in pairwise(borders)]
    return max(((one[0], start + one[1]) for one, start in found if one is not None), default=None)


def _of_segment(values: NDArray[np.float64]) -> tuple[float, int] | None:
    """The largest q of a segment and its place; None where it is too short."""
    count = len(values)
    if count < 2 * LEAST:
        return None
    gaps = np.abs(values[:, None] - values[None, :])
    upto = np.zeros((count + 1, count + 1))
    upto[1:, 1:] = gaps.cumsum(0).cumsum(1)
    place, end = np.meshgrid(np.arange(LEAST, count - LEAST + 1), np.arange(2 * LEAST, count + 1), indexing="ij")
    possible = end - place >= LEAST
    m, n = place.astype(float), np.maximum(end - place, 2).astype(float)
    inside, until = upto[place, place], upto[end, end]
    between = upto[place, end] - inside
    after = until - inside - 2 * between
    q = m * n / (m + n) * (2 / (m * n) * between - inside / (m * (m - 1)) - after / (n * (n - 1)))
    q = np.where(possible, q, -np.inf)
    best = np.unravel_index(int(q.argmax()), q.shape)
    return float(q[best]), int(place[best])
