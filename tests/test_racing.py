"""A race: who drops out when, who leads, when it is over, and how often it is wrong."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from support.values import THROUGHPUT, candidates, noisy

from runner.analysis.conclusion import Question, conclude
from runner.analysis.racing import SHARES, Rules, Sums, pair_width, race

RULES = Rules(0.05)
NAN = math.nan


def test_the_width_of_a_pair_is_that_of_the_paired_t_e_process() -> None:
    """At its edge the e-process of Wang & Ramdas, (1 + q) / (1 + ρq) to the n/2 times √ρ, is 1 / α."""
    draw = np.random.default_rng(1)
    sums = Sums.none(2)
    for _ in range(40):
        sums.add(draw.normal(0, 0.05, 2))
    width = pair_width(sums)[0, 1]
    spread = math.sqrt((sums.squares[0, 1] - sums.total[0, 1] ** 2 / 40) / 39)
    rho, q = 0.5 / 40.5, (width / (spread / math.sqrt(40))) ** 2 / 39
    assert math.sqrt(rho) * ((1 + q) / (1 + rho * q)) ** 20 == pytest.approx(1 / (2 * 0.05 * SHARES[0]))


def test_points_drop_out_and_the_race_is_over_when_nothing_can_be_much_better() -> None:
    run = race(noisy([0.0, -0.02, -0.2, -0.7, -0.7, -0.7], 60, 0.03, 3), RULES)
    assert run.over
    last = run.looks[-1]
    assert last.leader in {0, 1}
    assert last.bound <= math.log(1.05)
    assert run.out[3] < run.out[2]  # what is slower goes sooner
    assert set(last.inside) <= {0, 1}
    for before, after in itertools.pairwise(run.looks):
        assert set(after.inside) <= set(before.inside)
    assert [look.over for look in run.looks].count(True) == 1


def test_of_many_points_the_slow_ones_are_gone_after_two_rounds() -> None:
    """Their spread is borrowed from all: by its own, a pair of twenty points can say nothing before the sixth round."""
    run = race(noisy([0.0] + [-0.7] * 19, 8, 0.03, 3), RULES)
    assert len(run.looks) == 2
    assert run.looks[-1].inside == (0,)


def test_what_is_three_times_as_slow_is_gone_after_two_rounds_of_two_points() -> None:
    run = race(noisy([0.0, -1.1], 8, 0.03, 3), RULES)
    assert run.out == {1: 2}


def test_whenever_it_is_stopped_what_was_known_is_said() -> None:
    logs = noisy([0.0, -0.03, -0.2, -0.7], 60, 0.05, 4)
    whole = race(logs, RULES)
    for rounds in (1, 3, 7):
        assert race(logs[:rounds], RULES).looks == whole.looks[:rounds]
    assert not race(logs[:1], RULES).over


def test_a_named_baseline_is_measured_to_the_end_and_cannot_win_any_more() -> None:
    logs = noisy([-0.7, 0.0, -0.01, -0.3, -0.3], 60, 0.03, 3)
    run = race(logs, Rules(0.05, kept=0))
    assert 0 in run.out
    assert all(0 in look.inside for look in run.looks)
    assert 0 not in race(logs, RULES).looks[-1].inside


def test_a_point_that_failed_is_no_rival_and_what_only_it_has_beaten_is_in_again() -> None:
    logs = noisy([0.0, -0.7, -0.7], 12, 0.02, 3)
    logs[5:, 0] = NAN
    assert race(logs[:5], RULES).out == {1: 2, 2: 2}
    run = race(logs, RULES, failed=frozenset({0}))
    assert run.out == {}
    assert run.looks[-1].inside == (1, 2)


def test_a_round_that_was_resumed_is_looked_at_once() -> None:
    logs = noisy([0.0, -0.02, -0.02], 6, 0.05, 3)
    parts = np.insert(logs, 3, logs[2], axis=0)
    parts[2, 1:], parts[3, 0] = NAN, NAN
    run = race(parts, RULES, rounds=[0, 1, 2, 2, 3, 4, 5])
    assert [look.round for look in run.looks] == [1, 2, 3, 4, 5, 6]


def test_those_who_dropped_out_keep_their_bound_and_the_round_in_which_they_went() -> None:
    logs = noisy([0.0, -0.02, -0.25, -0.7], 60, 0.03, 3)
    question = Question("throughput", more_is_better=True, better="faster", indifference=0.05, raced=True)
    found = conclude(candidates(logs), question)
    ranked = {one["point"]: one for one in found.ranking}
    assert found.ranking[0]["state"] == "leader"
    assert ranked["d"]["state"] == "out"
    assert ranked["d"]["out_in_round"] == next(look["round"] for look in found.race if "d" not in look["in"])
    assert (ranked["d"]["below_best_at_most_pct"] or 0) > 100 * (math.exp(0.7) - 1)
    assert found.race[-1]["leader"] == found.answer["best"]
    assert found.race[-1]["bound_pct"] == found.answer["bound_pct"]
    assert conclude(candidates(logs), THROUGHPUT).race == []


def test_the_best_of_equal_points_hardly_ever_drops_out_although_every_round_is_looked_at() -> None:
    draw = np.random.default_rng(11)
    sums, gone = Sums.none(400, 6), np.zeros(400, dtype=bool)
    for _ in range(30):
        sums.add(draw.standard_t(3, (400, 6)) * 0.05)
        gone |= np.any(sums.mean()[:, 0, 1:] > pair_width(sums)[:, 0, 1:], axis=1)
    assert gone.mean() < 0.03  # 5 % is what is promised


def test_no_rival_left_ends_it_and_one_point_is_no_race() -> None:
    assert race(noisy([0.0], 3, 0.1, 1), RULES).over
    assert race(np.empty((0, 3)), RULES).looks == []
