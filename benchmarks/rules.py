"""The program's rules for many sweeps at once; ``tests/test_simulation.py`` holds them against the program's own functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from machines import Array, Sweeps
from numpy.typing import NDArray
from scipy.special import digamma, polygamma, stdtr, stdtrit

from runner.analysis.neighbours import LONG, REACH
from runner.analysis.racing import SIGNS_SHARE, Sums, pair_width
from runner.analysis.signs import highest_medians, least_below
from runner.analysis.spread import LEAST_COMPARISONS
from runner.analysis.statistics import ALPHA, MARGIN, signed_rank_cut, t_quantile

Flags = NDArray[np.bool_]


def behind(logs: Array) -> Array:
    """Sweeps × points: by how much the best may be better, from sweeps × rounds × points. Hsu's bound, a point at a time."""
    count, rounds, points = logs.shape
    factor = t_quantile(1 - ALPHA / (points - 1), rounds - 1) / np.sqrt(rounds)
    bounds = np.zeros((count, points))
    for one in range(points):
        gaps = logs - logs[:, :, one : one + 1]
        reach = gaps.mean(1) + factor * gaps.std(1, ddof=1)
        bounds[:, one] = np.delete(reach, one, axis=1).max(1).clip(min=0)
    return bounds


def recommended(bounds: Array, costs: Array, indifference: float) -> NDArray[np.int64]:
    """The place that each sweep recommends: the cheapest of those within the indifference, or the one with the least bound."""
    within = bounds <= np.log1p(indifference)
    cheapest = np.where(within, costs, np.inf).argmin(1)
    taken: NDArray[np.int64] = np.where(within.any(1), cheapest, bounds.argmin(1))
    return taken


@dataclass(frozen=True)
class Verdicts:
    """Sweeps × points without the baseline: what was said of each, more being better."""

    faster: Flags
    slower: Flags
    same: Flags


def verdicts(logs: Array, comparisons: int | None = None) -> Verdicts:
    """Those on all points but the first, against it: Student's t with shared spreads by Holm's steps, and the robust twin at its own level."""
    gaps = logs[:, :, 1:] - logs[:, :, :1]
    _, rounds, points = gaps.shape
    shared = points if comparisons is None else comparisons
    mean, spread, freedom = gaps.mean(1), *_shared(gaps)
    error = spread / np.sqrt(rounds)
    half = stdtrit(freedom, 1 - ALPHA / 2 / shared) * error
    chance = 2 * stdtr(freedom, -np.abs(mean) / error)
    order = np.argsort(chance, axis=1)
    limits = ALPHA / np.maximum(1, shared - np.arange(points))
    passed = np.logical_and.accumulate(np.take_along_axis(chance, order, 1) <= limits, axis=1)
    proven = np.empty_like(passed)
    np.put_along_axis(proven, order, passed, 1)
    below, above = _walsh_ends(gaps)
    margin = np.log1p(MARGIN)
    return Verdicts(
        faster=proven & (mean >= margin) & (below > 0),
        slower=proven & (mean <= -margin) & (above < 0),
        same=(np.minimum(mean - half, below) > -margin) & (np.maximum(mean + half, above) < margin),
    )


def _shared(gaps: Array) -> tuple[Array, Array]:
    """The spread of each comparison and the degrees of freedom behind it, as ``runner.analysis.spread`` has them."""
    own, freedom = gaps.var(1, ddof=1), gaps.shape[1] - 1
    if own.shape[1] < LEAST_COMPARISONS:
        return np.sqrt(own), np.full_like(own, freedom)
    centred = np.log(own) - digamma(freedom / 2) + np.log(freedom / 2)
    beyond = centred.var(1, ddof=1, keepdims=True) - polygamma(1, freedom / 2)
    half = 0.5 + 1 / np.maximum(beyond, 1e-9)
    for _ in range(20):
        trigamma = polygamma(1, half)
        half += trigamma * (1 - trigamma / np.maximum(beyond, 1e-9)) / polygamma(2, half)
    half = np.where(beyond > 0, half, 1e9)
    prior = np.exp(centred.mean(1, keepdims=True) + digamma(half) - np.log(half))
    weight = freedom / (freedom + 2 * half)
    return np.sqrt(np.maximum(own, (1 - weight) * prior + weight * own)), np.minimum(freedom + 2 * half, 4 * freedom) + 0 * own


def _walsh_ends(gaps: Array) -> tuple[Array, Array]:
    """The ends of the exact signed-rank interval of each comparison."""
    rounds = gaps.shape[1]
    cut = signed_rank_cut(rounds, ALPHA)
    if not cut:
        return np.full_like(gaps[:, 0], -np.inf), np.full_like(gaps[:, 0], np.inf)
    one, other = np.triu_indices(rounds)
    walsh = np.sort((gaps[:, one] + gaps[:, other]) / 2, axis=1)
    return walsh[:, cut - 1], walsh[:, -cut]


@dataclass(frozen=True)
class Raced:
    """How races came out.

    Attributes:
        trials: that were run in each.
        rounds: after which each was over, or ended.
        leader: its place.
        bound: nothing is better than the leader by more than this, as a logarithm.
        out: races × points: who dropped out.
        over: whether the leader is proven.
    """

    trials: NDArray[np.int64]
    rounds: NDArray[np.int64]
    leader: NDArray[np.int64]
    bound: Array
    out: Flags
    over: Flags


def raced(logs: Array, indifference: float) -> Raced:
    """A race for each sweep, from races × rounds × points, until it is over or there are no more rounds."""
    count, rounds, points = logs.shape
    rivals, running = np.ones((count, points), dtype=bool), np.ones(count, dtype=bool)
    trials, ended, leader = (np.zeros(count, dtype=int) for _ in range(3))
    bound = np.full(count, np.inf)
    sums, others = Sums.none(count, points), ~np.eye(points, dtype=bool)
    level = ALPHA * SIGNS_SHARE / max(1, points - 1)
    for number in range(rounds):
        trials[running] += rivals[running].sum(1)
        sums.add(np.where(rivals, logs[:, number], np.nan))
        highest = sums.mean() + pair_width(sums)
        if number + 1 >= least_below(number + 1, level):
            for one in np.flatnonzero(running):
                pairs = np.ix_([one], rivals[one], rivals[one])
                highest[pairs] = np.minimum(highest[pairs], highest_medians(logs[one, : number + 1, rivals[one]].T, level))
        with np.errstate(invalid="ignore"):
            beaten = (rivals[:, :, None] & others & (highest < 0)).any(1) & rivals
        rivals = np.where(running[:, None], rivals & ~beaten, rivals)
        worst = np.where(rivals[:, None, :] & others, highest, 0.0).max(2).clip(min=0)
        worst = np.where(rivals, worst, np.inf)
        leads = worst.argmin(1)
        least = worst[np.arange(count), leads]
        leader, bound = np.where(running, leads, leader), np.where(running, least, bound)
        ended[running] = number + 1
        running &= least > np.log1p(indifference)
        if not running.any():
            break
    return Raced(trials, ended, leader, bound, ~rivals, ~running)


def without_drift(measured: Sweeps) -> Array:
    """The logarithms with the drift within long rounds taken out; sweeps × rounds × points."""
    count, rounds, points = measured.logs.shape
    if points <= LONG:
        return measured.logs
    in_time = np.argsort(measured.orders, axis=2)
    logs = np.take_along_axis(measured.logs, in_time, 2).reshape(count, -1)
    owner = in_time.reshape(count, -1)
    corrected = (np.take_along_axis(measured.logs - measured.logs.mean(2, keepdims=True), in_time, 2)).reshape(count, -1)
    places = np.arange(rounds * points)
    begin, end = np.maximum(places - REACH, 0), np.minimum(places + REACH + 1, rounds * points)
    for _ in range(4):
        usual = np.take_along_axis(_by_point(corrected, owner, points), owner, 1)
        beyond = logs - usual
        upto = np.concatenate([np.zeros((count, 1)), np.cumsum(beyond, axis=1)], axis=1)
        near = (upto[:, end] - upto[:, begin] - beyond) / (end - begin - 1)
        alike, own = (_within(values, rounds) for values in (near, beyond))
        slope = ((alike * own).sum(1) / (alike**2).sum(1)).clip(0, 1)
        corrected = logs - slope[:, None] * near
    back = np.empty_like(measured.logs)
    np.put_along_axis(back, in_time, corrected.reshape(count, rounds, points), 2)
    return back


def _within(values: Array, rounds: int) -> Array:
    """The distances from the means of the rounds; sweeps × trials in their order."""
    whole = values.reshape(len(values), rounds, -1)
    centred: Array = (whole - whole.mean(2, keepdims=True)).reshape(values.shape)
    return centred


def _by_point(values: Array, owner: NDArray[np.int64], points: int) -> Array:
    """Sweeps × points: the mean of each point's values."""
    count, trials = values.shape
    where = (owner + points * np.arange(count)[:, None]).ravel()
    totals = np.bincount(where, values.ravel(), count * points).reshape(count, points)
    means: Array = totals * points / trials
    return means
