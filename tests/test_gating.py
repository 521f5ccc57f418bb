"""A gate's limits, its bounds, and what it shows of its outcome; no trial is run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from machines import MACHINES, sweeps

from runner.analysis.gating import NOT_KNOWN, NOT_WORSE, WORSE, Limit, bounds, judge, limit_of
from runner.display.gate import gate_junit, gate_markdown, gate_text
from runner.errors import ConfigurationError
from runner.record.gating_schema import GateJson
from runner.record.shape import misfit

AT_LEAST_95 = Limit("images_per_s", 0.95)


def gaps(ratio: float, noise: float, rounds: int, seed: int = 1) -> list[float]:
    """log(new) − log(old) of so many rounds."""
    values: list[float] = np.random.default_rng(seed).normal(math.log(ratio), noise, rounds).tolist()
    return values


@pytest.mark.parametrize("text", ["images_per_s<0.95", " images_per_s < .95 "])
def test_a_limit_is_a_metric_a_sign_and_a_ratio(text: str) -> None:
    assert limit_of(text) == AT_LEAST_95
    assert limit_of("peak_memory_mb>1.05") == Limit("peak_memory_mb", 1.05)
    assert str(limit_of(text)) == "images_per_s<0.95"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("images_per_s", "is no limit"),
        ("images_per_s<0", "is no limit"),
        ("images_per_s<nan", "is no limit"),
        ("images_per_s<=0.9", "is no limit"),
        ("image_per_s<0.95", "image_per_s there is no such metric\n  accepted: images_per_s"),
        ("images_failed>1.0", "0 has no ratio"),
        ("images_per_s>1.05", "more images_per_s is better\n  accepted: 'images_per_s<1.05'"),
        ("peak_memory_mb<0.95", "less peak_memory_mb is better"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_would_be(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match="--fail-if") as refused:
        limit_of(text)
    assert said in str(refused.value)


def test_a_change_that_does_nothing_is_proven_not_to_be_worse_and_a_slow_one_to_be() -> None:
    same, slow = (judge(AT_LEAST_95, gaps(ratio, 0.02, 40)) for ratio in (1.0, 0.85))
    assert (same.verdict, slow.verdict) == (NOT_WORSE, WORSE)
    assert same.low is not None
    assert same.low > 0.95
    assert slow.high is not None
    assert slow.high < 0.95
    assert max(same.rounds, slow.rounds) < 20


def test_where_less_is_better_more_is_worse() -> None:
    limit = Limit("peak_memory_mb", 1.05)
    assert [judge(limit, gaps(ratio, 0.01, 40)).verdict for ratio in (1.2, 1.0)] == [WORSE, NOT_WORSE]


def test_a_verdict_is_that_of_the_round_that_proved_it_whatever_came_after() -> None:
    values = gaps(1.0, 0.02, 40)
    first = judge(AT_LEAST_95, values)
    assert judge(AT_LEAST_95, [*values[: first.rounds], *[-1.0] * 40]) == first
    assert judge(AT_LEAST_95, values[: first.rounds - 1]).verdict == NOT_KNOWN


def test_a_round_without_a_ratio_leaves_nothing_proven() -> None:
    judged = judge(AT_LEAST_95, [*gaps(1.0, 0.001, 30), math.nan])
    assert (judged.verdict, judged.missing) == (NOT_KNOWN, 1)
    assert judge(AT_LEAST_95, [math.nan]).ratio is None


def test_limits_share_the_level() -> None:
    values = gaps(1.0, 0.02, 10)
    alone, shared = (judge(AT_LEAST_95, values[:5], limits) for limits in (1, 5))
    assert shared.level == pytest.approx(alone.level / 5)
    assert (shared.low or 0) < (alone.low or 0)


def test_equal_values_in_every_round_are_enough_and_too_few_are_not() -> None:
    assert judge(AT_LEAST_95, [0.0] * 3).verdict == NOT_KNOWN
    assert judge(AT_LEAST_95, [0.0] * 6).verdict == NOT_WORSE


@pytest.mark.parametrize("name", MACHINES)
def test_at_the_limit_hardly_any_gate_says_anything(name: str) -> None:
    at = math.log(0.95)
    logs = sweeps(MACHINES[name], np.array([0.0, at]), 40, 400, np.random.default_rng(1)).logs
    low, high = bounds(logs[..., 1] - logs[..., 0], 0.05)
    assert (low > at).any(1).mean() < 0.06
    assert (high < at).any(1).mean() < 0.06


def record(verdict: str, *limits: dict[str, Any], **more: Any) -> GateJson:
    """As ``gate.json`` has it; each of ``limits`` is what differs from a limit that is kept."""
    kept = {
        "metric": "images_per_s",
        "limit": "images_per_s<0.95",
        "verdict": "not worse",
        "rounds": 6,
        "old": 10.0,
        "new": 9.9,
    }
    kept |= {"ratio": 0.99, "low": 0.96, "high": 1.02, "level": 0.05}
    side = {"overrides": ["mode=thread"], "config_hash": "0"}
    content = {
        "schema_version": 1, "verdict": verdict, "exit_status": 0, "text": "", "ended_by": "proven", "rounds": 6, "trials_s": 1.0,
        "budget_s": 60.0, "command": "", "folder": "", "old": side, "new": {**side, "overrides": ["mode=thread", "workers=2"]},
        "limits": [kept | limit for limit in limits or [{}]], "notes": [],
    } | more  # fmt: skip
    assert misfit(content, GateJson) is None
    made: GateJson = {**content, "text": ""}  # type: ignore[typeddict-item]
    made["text"] = gate_text(made)
    return made


WORSE_LIMIT = {"verdict": "worse", "ratio": 0.9, "high": 0.93}
ERROR = {"type": "TrialFailed", "message": "broken <\x1b[31m> | `it`", "traceback": None}


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (
            record("not worse"),
            "Not worse: new has 0.990 times the images_per_s of old, at least 0.960 (the limit is 0.95); proven in 6 rounds.",
        ),
        (
            record("worse", WORSE_LIMIT),
            "Worse: new has 0.900 times the images_per_s of old, at most 0.930 (the limit is 0.95); proven in 6 rounds.",
        ),
        (
            record("not known", {"verdict": "not known", "low": 0.9}, ended_by="budget"),
            (
                "Not known: new has 0.990 times the images_per_s of old, at least 0.900 and at most 1.020 (the limit is 0.95); "
                "the budget of 60 s is spent after 6 rounds."
            ),
        ),
        (record("not known", ended_by="interrupt"), "Not known: ended by the user after 6 rounds."),
        (
            record("failed", new={"overrides": [], "config_hash": "0", "error": ERROR}, ended_by="failure"),
            f"Failed: the new side: TrialFailed: {ERROR['message']}.",
        ),
    ],
)
def test_the_verdict_is_one_sentence(made: GateJson, text: str) -> None:
    assert made["text"] == text


@pytest.mark.parametrize(
    ("made", "kinds"),
    [
        (record("not worse", {}, {}), []),
        (record("worse", {}, WORSE_LIMIT), ["failure"]),
        (record("not known", {}, {"verdict": "not known"}), ["skipped"]),
        (record("failed", {}, {}, new={"overrides": [], "config_hash": "0", "error": ERROR}), ["error", "error"]),
    ],
)
def test_junit_has_a_case_for_each_limit(made: GateJson, kinds: Sequence[str]) -> None:
    suite = ET.fromstring(gate_junit(made))  # noqa: S314  (made here)
    assert [inside.tag for case in suite for inside in case] == kinds
    assert suite.attrib["tests"] == "2"
    assert [suite.attrib[key] for key in ("failures", "errors", "skipped")] == [
        str(kinds.count(kind)) for kind in ("failure", "error", "skipped")
    ]


def test_markdown_shows_the_limits_and_what_differs_between_the_sides() -> None:
    text = gate_markdown(record("not worse", notes=["a | b"]))
    assert "| images\\_per\\_s | 10 | 9.9 | 0.990 | 0.960 | 1.020 | \\<0.95 | not worse | 6 |" in text
    assert "new: `workers=2`" in text
    assert "mode=thread" not in text
    assert "Note: a \\| b" in text
