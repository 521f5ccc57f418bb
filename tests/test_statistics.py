"""The statistics, on data whose truth is known."""

from __future__ import annotations

import math
import random

import pytest
from scipy import stats
from simulation import Machine, one_after_the_other, ratio_after, tally, until_precise
from support.made_records import killed, timed_trial

from runner.analysis.statistics import Ratio, hodges_lehmann, paired_ratio, rounds_to_settle
from runner.analysis.stopping import LEAST_ROUNDS, half_width
from runner.analysis.verdicts import Side, compare_points, verdict_on
from runner.record.trial_schema import TrialRecord

SPOILT = Machine()
STEADY = Machine(drift=0.0, noise=0.03, spikes=0.0)


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
def test_equal_points_are_found_different_as_often_as_stated(rounds: int) -> None:
    draw = random.Random(7)
    steady = tally([ratio_after(rounds, STEADY, 1.0, draw) for _ in range(3000)], 1.0)
    spoilt = tally([ratio_after(rounds, SPOILT, 1.0, draw) for _ in range(3000)], 1.0)
    assert 0.03 < steady.excluded < 0.07
    assert 0.03 < steady.robust_excluded < 0.07
    assert 0.025 < spoilt.excluded < 0.07  # spikes make the t interval wider than it need be
    assert 0.03 < spoilt.robust_excluded < 0.07
    assert spoilt.wrong < 0.05
    assert min(spoilt.covered, spoilt.robust_covered) > 0.93


def test_measuring_one_point_after_the_other_finds_differences_that_are_not_there() -> None:
    draw = random.Random(7)
    assert sum(one_after_the_other(8, SPOILT, draw) for _ in range(1000)) / 1000 > 0.2


def test_differences_are_found() -> None:
    draw = random.Random(7)
    steady = tally([ratio_after(10, STEADY, 1.10, draw) for _ in range(500)], 1.10)
    assert steady.found > 0.99
    assert tally([ratio_after(20, SPOILT, 1.10, draw) for _ in range(500)], 1.10).found > 0.9
    assert steady.covered > 0.9


def test_stopping_on_precision_keeps_the_error_rate() -> None:
    draw = random.Random(7)
    ratios = [until_precise(0.02, 60, SPOILT, 1.0, draw) for _ in range(400)]
    assert min(ratio.n for ratio in ratios) >= LEAST_ROUNDS
    assert all(half_width(ratio) <= 0.02 or ratio.n == 60 for ratio in ratios)
    assert tally(ratios, 1.0).excluded < 0.09


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
    """Having run as many rounds as were asked for, about four of five sweeps have their verdict."""
    draw = random.Random(3)
    settled = asked = 0
    for _ in range(300):
        first = ratio_after(8, STEADY, 1.04, draw)
        needed = rounds_to_settle(first)
        if verdict_on(first, more_is_better=True) != "inconclusive" or needed is None or needed > 60:
            continue
        asked += 1
        settled += verdict_on(ratio_after(needed, STEADY, 1.04, draw), more_is_better=True) != "inconclusive"
    assert asked > 30
    assert settled / asked > 0.7


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
