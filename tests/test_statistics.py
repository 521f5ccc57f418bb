"""The statistics, on data whose truth is known."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from claims import apart
from machines import MACHINES, Machine, sweeps
from rules import verdicts
from scipy import stats
from support.made_records import killed, timed_trial

from runner.analysis.spread import spreads_of
from runner.analysis.statistics import Ratio, detectable, hodges_lehmann, paired_ratio, rounds_to_settle, step_down
from runner.analysis.stopping import LEAST_ROUNDS, half_width
from runner.analysis.verdicts import Side, compare_points, verdict_on
from runner.record.trial_schema import TrialRecord


def test_the_interval_is_students() -> None:
    values = [0.1, -0.02, 0.05, 0.08, 0.01, 0.03, 0.07, 0.0]
    interval = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    ratio = paired_ratio(values)
    assert (ratio.low, ratio.high) == pytest.approx((math.exp(interval.low), math.exp(interval.high)))
    assert ratio.ratio == pytest.approx(math.exp(sum(values) / 8))


@pytest.mark.parametrize(("n", "rank"), [(6, 0), (7, 2), (8, 3), (9, 5), (10, 8), (15, 25), (20, 52)])
def test_the_robust_interval_is_the_tables(n: int, rank: int) -> None:
    """Two-sided 5 % critical values of the signed-rank sum, as every table of it has them."""
    draw = random.Random(n)
    values = [draw.gauss(0, 1) for _ in range(n)]
    walsh = sorted((values[i] + values[j]) / 2 for i in range(n) for j in range(i, n))
    _, low, high = hodges_lehmann(values, 0.05)
    assert (low, high) == (walsh[rank], walsh[-rank - 1])


def test_five_pairs_are_too_few_for_a_robust_interval() -> None:
    assert hodges_lehmann([1.0, 2.0, 3.0, 4.0, 5.0], 0.05) == (3.0, -math.inf, math.inf)
    assert verdict_on(paired_ratio([0.5] * 5), more_is_better=True) == "inconclusive"


@pytest.mark.parametrize("rounds", [8, 20])
@pytest.mark.parametrize("name", ["quiet", "drift", "heavy tails", "everything"])
def test_equal_points_are_found_different_as_rarely_as_stated(name: str, rounds: int) -> None:
    logs = sweeps(MACHINES[name], np.zeros(6), rounds, 1500, np.random.default_rng(7)).logs
    said = verdicts(logs)
    assert (said.faster | said.slower).any(1).mean() < 0.06
    gaps = logs[:, :, 1] - logs[:, :, 0]
    ratios = [paired_ratio(one.tolist()) for one in gaps[:400]]
    assert sum(one.low <= 1 <= one.high for one in ratios) / 400 > 0.92
    assert sum(one.robust_low <= 1 <= one.robust_high for one in ratios) / 400 > 0.92


def test_measuring_one_point_after_the_other_finds_differences_that_are_not_there() -> None:
    assert apart(Machine(noise=0.03, drift=0.06), 8, 1000, np.random.default_rng(7)).mean() > 0.2


def test_differences_are_found_among_twenty_points_as_among_two() -> None:
    """Eight rounds, 5 % noise: the exact signed ranks at a shared level could not prove anything in fewer than ten."""
    for points, least in ((2, 0.8), (20, 0.55)):
        truth = np.zeros(points)
        truth[1] = math.log(1.1)
        said = verdicts(sweeps(Machine(), truth, 8, 2000, np.random.default_rng(8)).logs)
        assert said.faster[:, 0].mean() > least
        assert (said.slower.any(1) | said.faster[:, 1:].any(1)).mean() < 0.05


def test_stopping_on_precision_keeps_the_error_rate() -> None:
    missed, draw = 0, np.random.default_rng(7)
    for _ in range(300):
        gaps = draw.normal(0, 0.04, 60).tolist()
        done = next((n for n in range(LEAST_ROUNDS, 60) if half_width(paired_ratio(gaps[:n])) <= 0.02), 60)
        ratio = paired_ratio(gaps[:done])
        missed += not ratio.low <= 1 <= ratio.high
    assert missed / 300 < 0.09


def ratio(low: float, high: float, robust: tuple[float, float] | None = None) -> Ratio:
    middle = math.sqrt(low * high)
    robust_low, robust_high = robust or (low, high)
    return Ratio(10, middle, low, high, middle, robust_low, robust_high, 0.03, 0.05)


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (ratio(1.05, 1.15), "faster"),
        (ratio(0.85, 0.95), "slower"),
        (ratio(0.99, 1.01), "same"),
        (ratio(0.95, 1.15), "inconclusive"),
        (ratio(1.001, 1.015), "same"),  # a difference, but too small to be of interest
        (ratio(1.001, 1.03), "inconclusive"),
        (ratio(1.05, 1.15, robust=(0.99, 1.2)), "inconclusive"),  # its robust twin does not agree
        (ratio(0.99, 1.01, robust=(0.97, 1.03)), "inconclusive"),
        (None, "inconclusive"),
    ],
)
def test_a_verdict_is_what_both_intervals_support(given: Ratio | None, verdict: str) -> None:
    assert verdict_on(given, more_is_better=True) == verdict
    opposite = {"faster": "slower", "slower": "faster"}
    assert verdict_on(given, more_is_better=False) == opposite.get(verdict, verdict)


def test_the_level_is_shared_by_the_comparisons_and_the_robust_twin_has_its_own() -> None:
    values = [0.1, -0.02, 0.05, 0.08, 0.01, 0.03, 0.07, 0.0, 0.02, 0.04]
    one, ten = paired_ratio(values), paired_ratio(values, comparisons=10)
    assert ten.alpha == pytest.approx(one.alpha / 10)
    assert ten.low < one.low < one.high < ten.high
    assert (ten.robust_low, ten.robust_high) == (one.robust_low, one.robust_high)


def test_the_rounds_that_would_settle_it_do() -> None:
    """Were the rest like the first rounds, about four of five sweeps have their verdict after as many as were named."""
    draw = np.random.default_rng(3)
    settled = asked = 0
    for _ in range(300):
        first = paired_ratio(draw.normal(math.log(1.04), 0.04, 8).tolist())
        needed = rounds_to_settle(first)
        if verdict_on(first, more_is_better=True) != "inconclusive" or needed is None or needed > 100:
            continue
        more = paired_ratio(draw.normal(math.log(first.ratio), first.sd, needed).tolist())
        asked += 1
        settled += verdict_on(more, more_is_better=True) != "inconclusive"
    assert asked > 30
    assert settled / asked > 0.65


def test_holms_steps_exclude_1_where_bonferronis_interval_does_not_and_cut_it_there() -> None:
    def ratio_with(p: float, low: float, high: float) -> Ratio:
        return Ratio(8, math.sqrt(low * high), low, high, 1.1, 1.05, 1.2, 0.03, 0.025, p)

    sure, second, last = ratio_with(0.001, 1.1, 1.2), ratio_with(0.04, 0.99, 1.2), ratio_with(0.2, 0.9, 1.2)
    assert step_down([last, sure, None], 3) == [last, sure, None]
    assert step_down([sure, second], 2)[1] == replace(second, low=1.0)
    assert step_down([second, last], 2) == [second, last]  # the smallest p-value is above the level ÷ 2
    assert step_down([None], 1) == [None]


def test_what_could_have_been_found_is_t_of_the_level_and_of_the_power() -> None:
    one = paired_ratio([0.1, -0.02, 0.05, 0.08, 0.01, 0.03, 0.07, 0.0])
    expected = math.exp((stats.t.ppf(0.975, 7) + stats.t.ppf(0.8, 7)) * one.sd / math.sqrt(8))
    assert detectable([one]) == pytest.approx(expected)
    assert detectable([]) is None


def test_a_spread_that_is_small_by_luck_is_raised_to_what_the_others_suggest_and_a_large_one_is_kept() -> None:
    draw = np.random.default_rng(1)
    gaps = [draw.normal(0, 0.05, 8).tolist() for _ in range(20)]
    gaps[3] = [one / 20 for one in gaps[3]]
    gaps[4] = [one * 5 for one in gaps[4]]
    own = [float(np.std(one, ddof=1)) for one in gaps]
    shared = spreads_of(gaps)
    assert shared[3] is not None
    assert shared[4] is not None
    assert shared[3].sd > 3 * own[3]
    assert shared[4].sd == own[4]
    assert all(one is not None and 7 < one.freedom <= 28 for one in shared)
    assert [one.sd for one in spreads_of(gaps[:4]) if one is not None] == pytest.approx(own[:4])  # too few to learn from


def test_a_failed_trial_voids_its_pair_and_says_so() -> None:
    baseline = Side("a", [timed_trial(number, 1.0) for number in range(8)])
    trials: list[TrialRecord] = [timed_trial(number, 0.5 + number / 1000) for number in range(8)]
    trials[3] = killed(timed_trial(3, 0.5))
    point = Side("b", trials)
    found = {comparison.metric: comparison for comparison in compare_points([point], baseline)}
    assert found["images_per_s"].ratio is not None
    assert found["images_per_s"].ratio.n == 7
    assert found["images_per_s"].voided == (3,)
    assert found["images_per_s"].verdict == "faster"
    assert found["peak_memory_mb"].verdict == "same"


def test_trials_of_different_sessions_make_no_pair() -> None:
    baseline = Side("a", [timed_trial(number, 1.0, session="yesterday" if number < 4 else "today") for number in range(8)])
    point = Side("b", [timed_trial(number, 1.0, session="yesterday" if number < 3 else "today") for number in range(8)])
    (found, *_) = compare_points([point], baseline)
    assert found.voided == (3,)
    assert found.ratio is not None
    assert found.ratio.n == 7
