"""A race: points are measured in rounds, one that is provably worse than another drops out, and every look is free.

Whatever is looked at after each round has to hold at every look at once. Four bounds of this kind, each with its share of the level, are asked
for every pair of points; the least of them is taken. D̄_ji is the mean over n common rounds of y_j − y_i (y is the logarithm of a value, more is
better), S_ji its standard deviation, k the number of points, and α = 2 · level · share / (k − 1) the two-sided level of a pair.

* **Student's t without a price for looking**, 45 %: the paired t e-process, (1 + q) / (1 + ρq) with q = t² / (n − 1), a Gaussian mixture of the
  precision c² (Lai, 1976; Wang & Ramdas, 2023). w = S/√n · √((n − 1)(B − 1) / (1 − ρB)), ρ = c² / (n + c²), B = (1 / (α√ρ))^(2/n); infinite
  where ρB ≥ 1, which for 20 points is the case up to the sixth round.
* **A spread that is borrowed**, 20 %: the standard deviation of a pair is taken to be at most ``_DOUBT`` times that of all pairs together, or its
  own where that is larger. Then it need not be found anew for each pair, and two rounds of 20 points say something. w = s · √((n + m) / n² · log((n + m) /
  (m α²))), the Gaussian mixture for a known variance (Robbins, 1970; Howard et al., 2021). An approximation: it is held by simulation, with points
  ten times as noisy as the others (``benchmarks/simulation.py``).
* **Signs**, 25 %: an upper bound of the median of y_j − y_i from how often it is below a value (``runner.analysis.signs``). It needs 11 rounds for six
  points and 13 for twenty, and no spread: where one trial in ten is disturbed by something else, races are over after two thirds of the rounds.
* **A spread that trials do not reach**, 10 %: the same with s = ``_CAP``, a standard deviation of 20 % of the ratio of two trials, or what was seen
  where that is more. It finds what is twice as slow in two or three rounds, of however few points.

By Ville's inequality each bound holds at all looks together; over the k − 1 rivals of the truly best one the levels add up to 5 %. So with 95 %
the best never drops out, and no point is further behind the best than is said of it, however and whenever the race is stopped (successive
elimination: Even-Dar et al., 2006). One side of a two-sided e-process has half of its level by symmetry, which spikes and tails break a little:
that too is held by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runner.analysis.signs import highest_medians, least_below
from runner.analysis.statistics import ALPHA

# The shares of the level: by each pair's own variance, by that of all pairs, by the cap; and by signs.
SHARES = (0.45, 0.2, 0.1)
SIGNS_SHARE = 0.25

# c²: the precision of the mixture over effects in the paired t e-process.
PRECISION = 0.5

# A pair's standard deviation may be so many times that of all pairs together; from so many degrees of freedom on it is borrowed.
_DOUBT = 2.0
_FREEDOM = 12

# Log-ratios of two trials have no larger standard deviation, unless more is seen.
_CAP = 0.2

# m: after how many rounds the mixtures for a known variance are at their narrowest, about: those that are borrowed, and with the cap.
_BORROWED_AT, _CAP_AT = 5.0, 1.0


@dataclass(frozen=True)
class Rules:
    """What a race is run for.

    Attributes:
        indifference: it is over when nothing can be better than the leader by more than this: 0.05 is 5 %.
        kept: the place of a point that goes on to be measured though it is proven to be worse: a named baseline.
    """

    indifference: float
    kept: int | None = None


@dataclass(frozen=True)
class Look:
    """What was known after a round.

    Attributes:
        round: how many rounds had been run.
        inside: the places of the points that are measured in the next round, in order.
        leader: the place of the point with the least bound.
        bound: nothing is better than the leader by more than this, as a logarithm, 0 or more; infinite where nothing can be said yet.
        over: whether the bound is within the indifference.
    """

    round: int
    inside: tuple[int, ...]
    leader: int
    bound: float
    over: bool


@dataclass(frozen=True)
class Race:
    """A race as far as it has come.

    Attributes:
        looks: after each round.
        out: the round after which each point that is proven to be worse was so, by its place.
        behind: for each point: the best is better than it by at most this, as a logarithm, at the last look that it was in for.
        gaps: points × points: by how much the column's point is better than the row's, as a logarithm, over the rounds in common; nan without any.
        highest: the same shape: by how much it is better at most; for all rivals of the best together.
    """

    looks: Sequence[Look] = ()
    out: Mapping[int, int] = field(default_factory=dict)
    behind: Sequence[float] = ()
    gaps: Sequence[Sequence[float]] = ()
    highest: Sequence[Sequence[float]] = ()

    @property
    def over(self) -> bool:
        """Whether there is an answer that is proven."""
        return bool(self.looks) and self.looks[-1].over


def race(
    logs: NDArray[np.float64], rules: Rules, *, rounds: Sequence[int] | None = None, failed: frozenset[int] = frozenset()
) -> Race:
    """The race that these values make, replayed from its first round; it ends where it is over, whatever comes after.

    Args:
        logs: rounds × points: logarithms of values, more is better; nan where there is none.
        rules: of the race.
        rounds: the number of the round, from 0, that each row is of; where two rows are of one, there is one look after both.
            By default each row is a round.
        failed: the places of points that failed. They cannot be taken, so they are no rivals, and what only they have beaten is in again.
    """
    numbers = list(range(len(logs))) if rounds is None else list(rounds)
    points = logs.shape[1]
    sums = Sums.none(points)
    rivals = np.array([place not in failed for place in range(points)])
    looks: list[Look] = []
    out: dict[int, int] = {}
    behind = np.full(points, np.inf)
    for row, values in enumerate(logs):
        measured = np.where(rivals | (np.arange(points) == rules.kept), values, np.nan)
        sums.add(measured)
        if row + 1 < len(logs) and numbers[row + 1] == numbers[row]:
            continue
        done = numbers[row] + 1
        mean = sums.mean()
        highest = highest_gaps(sums, logs[: row + 1], rivals)
        before, beaten = rivals, _beaten(highest, rivals)
        out.update(dict.fromkeys(np.flatnonzero(beaten).tolist(), done))
        rivals = rivals & ~beaten
        bounds = _bounds(highest, rivals)
        behind = np.where(before, bounds, behind)
        known = bounds if np.isfinite(bounds[rivals]).any() else _bounds(mean, rivals)
        leader = int(np.argmin(np.where(rivals, known, np.inf)))
        inside = tuple(place for place in range(points) if rivals[place] or (place == rules.kept and place not in failed))
        over = bool(rivals.any() and bounds[leader] <= math.log1p(rules.indifference))
        looks.append(Look(done, inside, leader, float(bounds[leader]), over))
        if over:
            break
    reached = logs[: row + 1] if looks else logs[:0]
    return Race(
        looks, out, behind.tolist(), sums.mean().tolist(), highest_gaps(sums, reached, np.ones(points, dtype=bool)).tolist()
    )


@dataclass
class Sums:
    """What has been added up of each pair's differences, of the column's point over the row's; axes before the last two are races of their own.

    Attributes:
        count, total, squares: rounds in common, and the sums of the differences and of their squares.
    """

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def none(cls, *shape: int) -> Sums:
        """Nothing yet, of this many points; numbers before that are of races of their own."""
        return cls(*(np.zeros((*shape, shape[-1])) for _ in range(3)))

    def add(self, values: NDArray[np.float64]) -> None:
        """Add a round: the points' values, nan where there is none."""
        gaps = values[..., None, :] - values[..., :, None]
        there = ~np.isnan(gaps)
        gaps = np.where(there, gaps, 0.0)
        self.count += there
        self.total += gaps
        self.squares += gaps**2

    def mean(self) -> NDArray[np.float64]:
        """D̄; nan where there is no round in common."""
        with np.errstate(invalid="ignore"):
            return self.total / np.where(self.count > 0, self.count, np.nan)


def pair_width(sums: Sums, level: float = ALPHA) -> NDArray[np.float64]:
    """How far D̄ of each pair may be from the truth, w, at every look; ``level`` is that of the whole race."""
    count, total, squares = sums.count, sums.total, sums.squares
    points = count.shape[-1]
    own_level, borrowed_level, cap_level = (2 * level * share / max(1, points - 1) for share in SHARES)
    n = np.maximum(count, 1.0)
    others = ~np.eye(points, dtype=bool)
    squares_about_mean = np.maximum(squares - total**2 / n, 0.0)
    freedom = np.maximum(count - 1, 0.0) * others
    variance = squares_about_mean / np.maximum(freedom, 1.0)
    own = own_width(count, variance, own_level)
    pooled = (squares_about_mean * others).sum((-2, -1), keepdims=True) / np.maximum(freedom.sum((-2, -1), keepdims=True), 1.0)
    borrowed = np.sqrt(np.maximum(_DOUBT**2 * pooled, variance)) * _known(n, borrowed_level, _BORROWED_AT)
    # A pair shares its points with others, so that the spread of all has no more degrees of freedom than the points have.
    enough = freedom.max(-1).sum(-1)[..., None, None] - freedom.max((-2, -1), initial=0.0)[..., None, None] >= _FREEDOM
    borrowed = np.where(enough & (count > 1), borrowed, np.inf)
    seen = np.sqrt(np.maximum(np.maximum(pooled, variance), _CAP**2))
    capped = np.where(count > 1, seen * _known(n, cap_level, _CAP_AT), np.inf)
    return np.minimum(np.minimum(own, borrowed), capped)


def own_width(count: NDArray[np.float64], variance: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Student's t without a price for looking: how far the mean of ``count`` differences with this variance may be from the truth, at every look.

    Args:
        count: of differences; below 2 nothing can be said.
        variance: of the differences.
        level: of both sides together.
    """
    n = np.maximum(count, 1.0)
    rho = PRECISION / (n + PRECISION)
    grown = (1 / (level * np.sqrt(rho))) ** (2 / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        width = np.sqrt(variance / n) * np.sqrt((n - 1) * (grown - 1) / (1 - rho * grown))
    return np.where((rho * grown < 1) & (count > 1), width, np.inf)


def _known(n: NDArray[np.float64], level: float, at: float) -> NDArray[np.float64]:
    """The width of the Gaussian mixture for a standard deviation of 1."""
    width: NDArray[np.float64] = np.sqrt((n + at) / n**2 * np.log((n + at) / (at * level**2)))
    return width


def highest_gaps(sums: Sums, logs: NDArray[np.float64], rivals: NDArray[np.bool_]) -> NDArray[np.float64]:
    """By how much the column's point is better than the row's at most, at every look; infinite where nothing can be said.

    Args:
        sums: of the rounds.
        logs: rounds × points, the same rounds.
        rivals: the points whose signs are looked at.
    """
    highest = sums.mean() + pair_width(sums)
    highest[np.isnan(highest)] = np.inf
    pairs = np.ix_(rivals, rivals)
    level = ALPHA * SIGNS_SHARE / max(1, len(rivals) - 1)
    if len(logs) >= least_below(len(logs), level):
        highest[pairs] = np.minimum(highest[pairs], highest_medians(logs[:, rivals], level))
    return highest


def highest_at_every_look(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of all points, from their values alone.

    Args:
        logs: rounds × points: logarithms of values, more is better; nan where there is none.
    """
    sums = Sums.none(logs.shape[1])
    for values in logs:
        sums.add(values)
    return highest_gaps(sums, logs, np.ones(logs.shape[1], dtype=bool))


def _bounds(highest: NDArray[np.float64], rivals: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each point: what a rival may be better by, at most; 0 where none is left."""
    against = rivals[None, :] & ~np.eye(len(highest), dtype=bool)
    reach = np.where(np.isnan(highest), np.inf, highest)
    bounds: NDArray[np.float64] = np.where(against, reach, 0.0).max(1, initial=0.0)
    return bounds


def _beaten(highest: NDArray[np.float64], rivals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The rivals than which another is provably better: they are worse even at most."""
    against = rivals[:, None] & rivals[None, :] & ~np.eye(len(highest), dtype=bool)
    beaten: NDArray[np.bool_] = np.any(against & (highest < 0), axis=0)
    return beaten
