"""What the machine does meanwhile: taken out of long rounds, noticed where it lasts, and where the time of a sweep is best spent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from support.made_records import timed_trial

from runner.analysis.correlation import follows_itself, lag_1
from runner.analysis.epochs import MOST_EPOCHS, epochs_per_trial
from runner.analysis.neighbours import LONG, without_drift
from runner.analysis.readings import Key, Reading, Readings
from runner.analysis.verdicts import Comparison, Side, compare_points
from runner.analysis.warnings import of_rounds


def sweep(points: int, rounds: int, drift: float, noise: float, seed: int = 1) -> list[dict[Key, Reading]]:
    """Equal points on a machine whose state wanders from trial to trial."""
    draw = np.random.default_rng(seed)
    readings: list[dict[Key, Reading]] = [{} for _ in range(points)]
    state = 0.0
    for number in range(rounds):
        for order, place in enumerate(draw.permutation(points).tolist()):
            state = 0.97 * state + draw.normal(0, drift)
            readings[place][Key("s", number)] = Reading(state + draw.normal(0, noise), order)
    return readings


def spread(readings: Sequence[Readings]) -> float:
    """The mean standard deviation of the differences of the points from the first, over rounds."""
    first = readings[0]
    gaps = [[one[key].log - first[key].log for key in first] for one in readings[1:]]
    return float(np.mean([np.std(gap, ddof=1) for gap in gaps]))


def test_drift_within_long_rounds_is_taken_out() -> None:
    drifting = sweep(40, 10, drift=0.02, noise=0.01)
    assert spread(without_drift(drifting)) < 0.75 * spread(drifting)


def test_without_drift_nothing_is_gained_or_lost() -> None:
    steady = sweep(40, 10, drift=0.0, noise=0.03)
    assert spread(without_drift(steady)) == pytest.approx(spread(steady), rel=0.1)


def test_short_rounds_are_left_as_they_are() -> None:
    short = sweep(LONG, 10, drift=0.02, noise=0.01)
    assert without_drift(short) == short


def test_blocks_do_not_correct_each_other() -> None:
    day = sweep(20, 4, drift=0.0, noise=0.0)
    night = [{Key("t", key.round): Reading(reading.log + 1.0, reading.order) for key, reading in one.items()} for one in day]
    both = without_drift([{**one, **other} for one, other in zip(day, night, strict=True)])
    assert spread(both) == pytest.approx(0, abs=1e-9)


def test_a_difference_that_is_there_stays() -> None:
    drifting = sweep(40, 20, drift=0.01, noise=0.01)
    slower = [
        {key: Reading(one.log - 0.1 * (place == 7), one.order) for key, one in point.items()}
        for place, point in enumerate(drifting)
    ]
    corrected = without_drift(slower)
    gaps = [
        corrected[7][key].log - np.mean([one[key].log for place, one in enumerate(corrected) if place != 7])
        for key in corrected[7]
    ]
    assert np.mean(gaps) == pytest.approx(-0.1, abs=0.015)


def test_differences_that_follow_each_other_are_noticed_and_others_are_not() -> None:
    draw = np.random.default_rng(3)
    noise = draw.normal(0, 1, (1000, 12))
    assert sum(follows_itself(one.tolist()) for one in noise) / 1000 == pytest.approx(0.05, abs=0.025)
    lasting = [0.0] * 6 + [0.3] * 6
    assert lag_1(lasting) > 0.7
    assert follows_itself(lasting)
    assert not follows_itself(lasting[4:8])
    assert lag_1([1.0] * 8) == 0


def test_a_sweep_says_where_something_lasted() -> None:
    baseline = Side("a", [timed_trial(number, 1.0 + number % 3 / 100) for number in range(12)])
    slowed = Side("b", [timed_trial(number, 1.0 if number < 6 else 1.3) for number in range(12)])
    compared = compare_points([slowed], baseline)
    (warning,) = of_rounds(compared, "images_per_s")
    assert warning.kind == "correlated_rounds"
    assert "the differences of b from the baseline are alike" in warning.message
    assert of_rounds([Comparison("b", "a", "images_per_s", None)], "images_per_s") == []


@pytest.mark.parametrize(
    ("within", "between", "trial_s", "expected"),
    [(0.02, 0.02, 1.0, 1), (0.02, 0.02, 16.0, 4), (0.04, 0.02, 4.0, 4), (0.0, 0.02, 4.0, 1), (0.02, 0.0, 4.0, MOST_EPOCHS)],
)
def test_epochs_are_as_many_as_spread_and_cost_make_worth_while(
    within: float, between: float, trial_s: float, expected: int
) -> None:
    side = within / math.sqrt(2)  # two epochs whose standard deviation is ``within``
    means = [place * between * math.sqrt(1.5) for place in (-1, 0, 1, -1, 0, 1)]
    trials = [[mean - side, mean + side] for mean in means]
    if between:  # as the variance of means that have the spread within in them
        scale = math.sqrt((between**2 + within**2 / 2) / float(np.var(means, ddof=1)))
        trials = [[mean * scale - side, mean * scale + side] for mean in means]
    assert epochs_per_trial(trials, trial_s, 1.0) == expected
    assert epochs_per_trial(trials[:1], trial_s, 1.0) == 1
