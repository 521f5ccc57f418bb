"""Bounds by signs: they hold at every look, whatever the spread and the tails, and disturbed trials do not widen them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.values import noisy

from runner.analysis.racing import Rules, race
from runner.analysis.signs import highest_medians, least_below

LEVEL = 0.0025


def capital(below: int, above: int) -> float:
    return sum((1 + stake) ** below * (1 - stake) ** above for stake in (0.3, 0.6, 0.9)) / 3


@pytest.mark.parametrize("rounds", [1, 9, 10, 30, 200])
def test_the_least_number_below_is_where_the_capital_reaches_one_over_the_level(rounds: int) -> None:
    least = least_below(rounds, LEVEL)
    if least <= rounds:
        assert capital(least, rounds - least) >= 1 / LEVEL
    assert capital(least - 1, rounds - least + 1) < 1 / LEVEL


def test_the_bound_is_the_difference_at_that_place() -> None:
    logs = noisy([0.0, -0.1], 20, 0.05, 1)
    gaps = np.sort(logs[:, 1] - logs[:, 0])
    bounds = highest_medians(logs, LEVEL)
    assert bounds[0, 1] == gaps[least_below(20, LEVEL) - 1]
    assert bounds[1, 0] == -gaps[20 - least_below(20, LEVEL)]


def test_rounds_that_two_points_do_not_have_in_common_do_not_count() -> None:
    logs = noisy([0.0, 0.0, 0.0], 14, 0.05, 1)
    logs[:6, 1] = math.nan
    bounds = highest_medians(logs, LEVEL)
    assert math.isinf(bounds[0, 1])
    assert bounds[0, 2] == highest_medians(logs[:, [0, 2]], LEVEL)[0, 1]
    assert np.isinf(highest_medians(logs[:0], LEVEL)).all()


@pytest.mark.parametrize("tails", [1, 2, 30])
def test_at_every_look_of_hardly_any_race_the_bound_is_below_the_truth(tails: int) -> None:
    draw = np.random.default_rng(2)
    missed = 0
    for _ in range(400):
        logs = draw.standard_t(tails, (40, 2)) * 0.05
        missed += any(highest_medians(logs[:rounds], 0.05)[0, 1] < 0 for rounds in range(5, 41))
    assert missed / 400 < 0.05


def test_races_in_which_some_trials_are_disturbed_are_over_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(4)
    shape = (20, 60, 4)
    disturbed = (draw.random(shape) < 0.1) * draw.uniform(0.1, 0.6, shape)
    every = np.array([0.0, -0.005, -0.3, -0.5]) + draw.normal(0, 0.02, shape) - disturbed
    with_signs = sum(len(race(logs, Rules(0.05)).looks) for logs in every)
    monkeypatch.setattr("runner.analysis.racing.SIGNS_SHARE", 1e-30)
    without = sum(len(race(logs, Rules(0.05)).looks) for logs in every)
    assert with_signs < 0.7 * without
