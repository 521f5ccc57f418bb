"""How far each point may be below the best of all: Hsu's multiple comparisons with the best.

What is asked is «which is best», so each point is compared with all others at once. With y the logarithm of a value, D̄_ji the mean of
y_j − y_i over the rounds that both have and S_ji its standard deviation over n rounds, the best of k points is at most

    U_i = max over j ≠ i of (D̄_ji + t(1 − α / (k − 1), n − 1) · S_ji / √n)

better than point i, for all i together with a probability of 1 − α: what has to hold is one one-sided comparison of the true best with each of
the k − 1 others (Hsu, Multiple Comparisons, 1996, chapter 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner.analysis.readings import Key, Readings
from runner.analysis.statistics import ALPHA, t_quantile

# A square of numbers: the row is the point that is looked at, i, the column the one that it is compared with, j.
Pairs = NDArray[np.float64]

# The sessions of one sweep, each of which then is one value: fewer say nothing of what differs between sessions.
LEAST_SESSIONS = 3


@dataclass(frozen=True)
class Moments:
    """Of each pair of points: the rounds in common, the mean of y_j − y_i over them, and its standard deviation."""

    count: Pairs
    mean: Pairs
    spread: Pairs


@dataclass(frozen=True)
class Standing:
    """Where each point stands.

    Attributes:
        behind: by how much the best may be better than the point, as a logarithm, 0 or more; infinite where nothing can be said.
        beaten: whether another point is proven to be better.
        gaps: D̄_ji: for the point of the row, by how much that of the column is better; nan where they have no round in common.
        common: how many rounds (or sessions) the point has in common with the one with which it has fewest.
    """

    behind: NDArray[np.float64]
    beaten: NDArray[np.bool_]
    gaps: Pairs
    common: NDArray[np.int64]

    @property
    def leader(self) -> int:
        """The point with the least bound; where none has one, that with the best mean."""
        if np.isfinite(self.behind).any():
            tied = np.flatnonzero(self.behind == self.behind.min())
            return int(tied[np.argmin(np.nanmax(self.gaps[tied], axis=1))])
        return int(np.argmin(np.nan_to_num(np.nanmax(self.gaps, axis=1), nan=np.inf)))


def matrix(points: Sequence[Readings], keys: Sequence[Key], *, more_is_better: bool = True) -> NDArray[np.float64]:
    """Rounds × points: the logarithm of each value, its sign turned where less is better; nan where there is none.

    Args:
        points: what was measured of each.
        keys: the rounds, in the order of the rows.
        more_is_better: whether a larger value is better.
    """
    sign = 1.0 if more_is_better else -1.0
    rows = [[sign * readings[key].log if key in readings else np.nan for readings in points] for key in keys]
    return np.array(rows, dtype=float).reshape(len(keys), len(points))


def moments(logs: NDArray[np.float64]) -> Moments:
    """Those of the rounds.

    Args:
        logs: rounds × points.
    """
    points = logs.shape[1]
    count, mean, spread = (np.full((points, points), np.nan) for _ in range(3))
    for one in range(points):  # a row at a time: all pairs of a hundred points over many rounds are large
        gaps = logs - logs[:, one : one + 1]
        there = ~np.isnan(gaps)
        count[one] = there.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean[one] = np.where(there, gaps, 0.0).sum(0) / count[one]
            squares = np.where(there, (gaps - mean[one]) ** 2, 0.0).sum(0)
            spread[one] = np.sqrt(squares / (count[one] - 1))
    return Moments(count, mean, spread)


def by_session(logs: NDArray[np.float64], sessions: Sequence[str]) -> Moments:
    """The same with one value for each session: the mean of the differences within it.

    Args:
        logs: rounds × points.
        sessions: of each round.
    """
    means = np.stack([moments(logs[np.array(sessions) == session]).mean for session in dict.fromkeys(sessions)])
    there = ~np.isnan(means)
    count = there.sum(0).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(there, means, 0.0).sum(0) / count
        spread = np.sqrt(np.where(there, (means - mean) ** 2, 0.0).sum(0) / (count - 1))
    return Moments(count, mean, spread)


def standing(measured: Moments) -> Standing:
    """Where each point stands after a number of rounds that was not chosen by what they showed."""
    count, mean = measured.count, measured.mean
    others = ~np.eye(len(count), dtype=bool)
    reach = _reach(measured)
    bounds = _bounded(mean, reach)
    with np.errstate(invalid="ignore"):
        beaten = np.any(np.where(others, mean - reach, -np.inf) > 0, axis=1)
    behind = np.where(others, bounds, 0.0).max(1, initial=0.0)
    common = np.where(others, count, np.inf).min(1, initial=np.inf)
    return Standing(behind, beaten, np.where(others, mean, -np.inf), np.where(np.isinf(common), 0, common).astype(int))


def highest_by_rounds(measured: Moments) -> Pairs:
    """By how much the column's point is better than the row's at most; infinite where they have fewer than two rounds in common."""
    return _bounded(measured.mean, _reach(measured))


def _bounded(mean: Pairs, reach: Pairs) -> Pairs:
    with np.errstate(invalid="ignore"):
        bounds: Pairs = np.where(np.isnan(mean), np.inf, mean + reach)
    return bounds


def _reach(measured: Moments) -> Pairs:
    """t(1 − α / (k − 1), n − 1) · S_ji / √n."""
    count, points = measured.count, len(measured.count)
    reach = np.full_like(measured.mean, np.inf)
    for n in np.unique(count[~np.eye(points, dtype=bool) & (count > 1)]):
        factor = t_quantile(1 - ALPHA / (points - 1), int(n) - 1) / np.sqrt(n)
        reach = np.where(count == n, factor * measured.spread, reach)
    return reach
