"""Which point is best, and how far each may be below it: comparisons with the best, the answer, the ranking, the point to take."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from support.values import THROUGHPUT, candidates, noisy, readings

from runner.analysis.answers import Answered, answer_text
from runner.analysis.best import by_session, matrix, moments, standing
from runner.analysis.conclusion import Question, conclude
from runner.analysis.readings import Key
from runner.record.per_cent import pct_text

NAN = math.nan


def test_the_bound_is_hsus() -> None:
    logs = noisy([0.0, -0.05, -0.2], 8, 0.03, 1)
    behind = standing(moments(logs)).behind
    gaps = logs[:, 0] - logs[:, 1]
    bound = gaps.mean() + stats.t.ppf(1 - 0.05 / 2, 7) * gaps.std(ddof=1) / math.sqrt(8)
    assert behind[1] == pytest.approx(max(bound, 0))


def test_only_rounds_in_common_count() -> None:
    logs = noisy([0.0, -0.05], 8, 0.03, 1)
    logs[3, 0] = NAN
    whole = np.delete(logs, 3, axis=0)
    assert standing(moments(logs)).behind == pytest.approx(standing(moments(whole)).behind)


def test_the_answer_leads_with_the_best_and_says_how_much_better_another_may_be() -> None:
    found = conclude(candidates(noisy([0.0, -0.01, -0.5], 10, 0.02, 2)), THROUGHPUT)
    answer = found.answer
    assert answer["best"] in {"a", "b"}
    assert answer["proven"]
    assert 0 < (answer["bound_pct"] or 0) <= 5
    assert answer["criterion"] == "throughput"
    assert answer["text"].startswith(f"{str(answer['best']).upper()} leads: nothing is more than ")
    assert [one["state"] for one in found.ranking] == ["leader", "may_be_best", "out"]
    assert found.ranking[2]["point"] == "c"
    assert (found.ranking[2]["below_best_at_most_pct"] or 0) > 60
    assert found.ranking[0]["below_best_at_most_pct"] == answer["bound_pct"]


def test_what_is_faster_than_all_others_is_the_fastest() -> None:
    found = conclude(candidates(noisy([0.0, -0.5, -0.5], 10, 0.02, 2)), THROUGHPUT)
    assert found.answer["text"] == "A is the fastest: each of the 2 others is slower."
    assert (found.answer["bound_pct"], found.answer["proven"]) == (0.0, True)


def test_where_less_is_better_the_least_is_the_best() -> None:
    found = conclude(
        candidates(noisy([0.0, 0.5], 10, 0.02, 2)), Question("memory", more_is_better=False, better="better", indifference=0.05)
    )
    assert found.answer["text"] == "A is the best: B is worse."


def test_a_lead_that_is_not_proven_is_called_so() -> None:
    found = conclude(candidates(noisy([0.0, -0.02], 4, 0.1, 2)), THROUGHPUT)
    assert not found.answer["proven"]
    assert "leads, but that is not proven: another may be up to" in found.answer["text"]


def test_the_cheapest_that_is_as_good_is_recommended_and_its_bound_said() -> None:
    found = conclude(candidates(noisy([0.0, -0.005, -0.5], 20, 0.01, 3), cpu=[2.0, 1.0, 0.1]), THROUGHPUT)
    assert (found.answer["best"], found.recommended) == ("a", "b")
    assert 0 < (found.answer["recommended_bound_pct"] or 0) <= 5
    assert "B takes 0.50 times the CPU, and is as good: nothing is more than" in found.answer["text"]


def test_a_cost_that_hardly_differs_decides_nothing() -> None:
    found = conclude(candidates(noisy([0.0, -0.005], 20, 0.01, 3), cpu=[1.0, 0.98]), THROUGHPUT)
    assert found.recommended == found.answer["best"] == "a"


@pytest.mark.parametrize("rounds", [0, 1])
def test_too_few_rounds_give_no_bound_and_say_why(rounds: int) -> None:
    found = conclude(candidates(noisy([0.0, -0.5], max(rounds, 1), 0.01, 1)[: max(rounds, 1)]), THROUGHPUT)
    assert found.answer["bound_pct"] is None
    assert "1 round in common with the others cannot tell a difference from chance" in found.answer["text"]
    assert {one["below_best_at_most_pct"] for one in found.ranking} == {None}
    assert found.ranking[0]["why"] == "too few rounds in common with the others: 1, it takes at least 2"


def test_a_point_that_failed_is_no_rival_and_is_named() -> None:
    logs = noisy([0.0, 0.5, -0.5], 10, 0.02, 2)
    logs[3:, 1] = NAN
    found = conclude(candidates(logs, failed={1}), THROUGHPUT)
    assert found.answer["best"] == "a"
    assert found.answer["text"].endswith("Not among them, for want of results: B.")
    assert [one["point"] for one in found.ranking] == ["a", "c"]


def test_a_point_by_itself_and_none_have_their_own_words() -> None:
    only = conclude(candidates(noisy([0.0], 8, 0.02, 2)), THROUGHPUT)
    assert only.answer["text"] == "Only A has results, so there is nothing to compare it with."
    none = conclude([], THROUGHPUT)
    assert (none.answer["text"], none.answer["best"]) == ("No point came to a result, so there is no answer.", None)


def test_over_sessions_each_session_is_one_value() -> None:
    draw = np.random.default_rng(5)
    logs = np.concatenate([np.array([0.0, gap]) + draw.normal(0, 0.001, (8, 2)) for gap in (0.05, -0.04, 0.02, -0.05)])
    keys = [Key(str(number // 8), number) for number in range(32)]
    assert standing(moments(logs)).behind[0] < 0.05  # as if thirty-two rounds were as many chances
    pooled = standing(by_session(logs, [key.session for key in keys]))
    assert pooled.behind[0] == pytest.approx(
        -0.005 + stats.t.ppf(0.95, 3) * np.std([0.05, -0.04, 0.02, -0.05], ddof=1) / 2, abs=0.002
    )


def test_points_that_were_never_in_one_round_have_no_bound() -> None:
    one, other = readings([0.0, 0.1], "monday"), readings([0.0, 0.1], "tuesday")
    keys = sorted({*one, *other})
    assert math.isinf(standing(moments(matrix([one, other], keys))).behind[0])


@pytest.mark.parametrize(("pct", "said"), [(0.01, "0.1 %"), (2.91, "3.0 %"), (3.0, "3.0 %"), (9.99, "10.0 %"), (11.2, "12 %")])
def test_a_bound_is_rounded_up(pct: float, said: str) -> None:
    assert pct_text(pct) == said


def test_many_points_without_results_are_counted() -> None:
    text = answer_text(Answered("A", "faster", 0.02, proven=True, others=1, other="B", left_out=list("CDEFG")))
    assert text.endswith("Not among them, for want of results: C, D, E and 2 more.")
