"""Where the time of an image goes, from legs that leave stages out, and what is proposed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from support.composing import composed

from runner.analysis.advice import proposals
from runner.analysis.readings import Key, Reading
from runner.analysis.stalls import ALONE, IN_MEMORY, READY, WHOLE, Diagnosis, diagnosis
from runner.config.options import Config


def leg(ms: float, *, noise: float = 0.0) -> Mapping[Key, Reading]:
    """Three rounds of so many milliseconds an image, with the drift of the machine in the second and the noise in the third."""
    seconds = (ms * 1e-3, ms * 1e-3 + 0.001, (ms + noise) * 1e-3)
    return {Key("s", number): Reading(-math.log(one), 0) for number, one in enumerate(seconds)}


def found(busy_s: float | None = None, *, whole: float = 10.0, in_memory: float = 4.0, ready: float = 1.0) -> Diagnosis:
    legs = {WHOLE: leg(whole, noise=0.2), IN_MEMORY: leg(in_memory), READY: leg(ready)}
    one = diagnosis(legs, busy_s=busy_s)
    assert one is not None
    return one


def test_each_part_is_the_difference_between_two_legs_within_their_rounds() -> None:
    parts = {part.name: part for part in found().parts}
    assert parts["fetch"].seconds.value == pytest.approx(0.006 + 0.0002 / 3)
    assert parts["preparation"].seconds.value == pytest.approx(0.003)
    assert set(parts) == {"fetch", "preparation", "hand-over"}
    assert sum(part.seconds.value for part in parts.values()) == pytest.approx(found().whole_s.value)


def test_what_the_consumer_is_busy_for_is_no_stall() -> None:
    parts = {part.name: part.seconds.value for part in found(0.0005).parts}
    assert parts["consumer"] == 0.0005
    assert parts["hand-over"] == pytest.approx(0.001 + 0.001 / 3 - 0.0005)


def test_a_consumer_that_never_waits_has_no_stall_and_nothing_is_proposed() -> None:
    fed = found(0.0099, whole=10.0, in_memory=9.98, ready=9.97)
    assert not fed.has_a_stall
    assert proposals(fed, config(), usage_pct=50, pixels=2000) == []


def test_the_share_of_each_step_is_by_how_much_longer_the_leg_is_that_ends_with_it() -> None:
    legs = {WHOLE: leg(10), IN_MEMORY: leg(5), READY: leg(1), "decode": leg(4), "decode+resize": leg(4.5)}
    one = diagnosis(legs, ("decode", "resize", "standardize"))
    assert one is not None
    assert one.steps == {"decode": pytest.approx(0.75), "resize": pytest.approx(0.125), "standardize": pytest.approx(0.125)}


def test_what_the_stages_can_deliver_is_measured_without_the_consumer() -> None:
    legs = {WHOLE: leg(10), IN_MEMORY: leg(9), READY: leg(8)}
    legs |= {WHOLE + ALONE: {Key("s", 0): Reading(math.log(200), 0)}}
    one = diagnosis(legs, busy_s=0.008)
    assert one is not None
    assert one.alone == {WHOLE: pytest.approx(200)}


def test_without_one_of_the_three_legs_nothing_is_said() -> None:
    assert diagnosis({WHOLE: leg(10), IN_MEMORY: leg(9)}) is None
    assert diagnosis({WHOLE: leg(10), IN_MEMORY: {Key("t", 0): Reading(1.0, 0)}, READY: leg(1)}) is None


def test_what_is_about_the_largest_part_is_proposed_first_with_words_that_compose() -> None:
    proposed = proposals(found(), config(), usage_pct=40, pixels=2000)
    assert proposed[0].words == ("workers=8",)
    assert (proposed[0].part, proposed[0].share) == ("fetch", found().parts[0].share)
    assert [one.share for one in proposed] == sorted((one.share for one in proposed), reverse=True)
    words = {" ".join(one.words) for one in proposed}
    assert len(words) == len(proposed)  # more workers may help two parts, and are one proposal
    assert {"mode=process", "task.execution=graph", "task.ratio=8", "task.dct_method=fast", "task=opencv"} <= words
    for one in proposed:
        composed("mode=thread", "workers=4", *one.words)


def test_a_smaller_decoding_is_proposed_only_where_the_image_stays_larger_than_the_result() -> None:
    for pixels, words in ((2000, "task.ratio=8"), (500, "task.ratio=2"), (300, None)):
        ratios = [one.words[0] for one in proposals(found(), config(), usage_pct=40, pixels=pixels) if "ratio" in one.words[0]]
        assert ratios == ([] if words is None else [words])


def test_more_workers_are_no_proposal_where_all_cpus_are_used() -> None:
    assert all("workers=8" not in one.words for one in proposals(found(), config(), usage_pct=97, pixels=300))


def config() -> Config:
    return composed("mode=thread", "workers=4")
