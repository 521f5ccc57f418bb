"""Results are put into batches: each has its row, in order or as it comes, and what cannot be stacked is refused."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from runner.errors import TrialFailed
from runner.pipeline.batches import Assembler, Batching, Laying
from runner.trial.feeding import Feed


def result(number: int, shape: tuple[int, ...] = (2,)) -> Any:
    return np.full(shape, number, np.float32)


def lay(layings: Sequence[Laying]) -> None:
    for laying in layings:
        laying.copy()
        laying.batch.laid()


def taken(assembler: Assembler) -> list[list[int]]:
    batches = []
    while (batch := assembler.take()) is not None:
        assert batch.array[:, 0].tolist() == batch.items
        batches.append(batch.items)
    return batches


def test_results_that_come_in_any_order_are_in_order_where_it_is_kept() -> None:
    assembler = Assembler(Batching(2))
    for number in (3, 1, 0, 2, 4):
        lay(assembler.place(number, result(number), lasting=True))
    assembler.close()
    assert taken(assembler) == [[0, 1], [2, 3], [4]]


def test_results_are_taken_as_they_come_where_order_is_not_kept() -> None:
    assembler = Assembler(Batching(2, kept=False))
    for number in (3, 1, 0):
        lay(assembler.place(number, result(number), lasting=True))
    assert taken(assembler) == [[3, 1]]


def test_failed_items_leave_no_gap() -> None:
    assembler = Assembler(Batching(2))
    for number in (0, 3, 4):
        lay(assembler.place(number, result(number), lasting=True))
    for number in (2, 1):
        lay(assembler.missed(number))
    assembler.close()
    assert taken(assembler) == [[0, 3], [4]]
    assert assembler.known == 5


def test_a_last_batch_that_is_not_full_is_dropped_where_that_is_asked_for() -> None:
    assembler = Assembler(Batching(2, drop_remainder=True))
    for number in range(3):
        lay(assembler.place(number, result(number), lasting=True))
    assembler.close()
    assert taken(assembler) == [[0, 1]]
    assert assembler.untaken == 0


def test_an_array_that_does_not_last_is_copied_where_it_waits_for_its_turn() -> None:
    assembler, buffer = Assembler(Batching(2)), result(1)
    lay(assembler.place(1, buffer, lasting=False))
    buffer[:] = 9
    lay(assembler.place(0, result(0), lasting=False))
    assert taken(assembler) == [[0, 1]]


def test_a_batch_is_not_taken_before_all_its_results_are_in_their_rows() -> None:
    assembler = Assembler(Batching(2))
    first, second = assembler.place(0, result(0), lasting=True), assembler.place(1, result(1), lasting=True)
    lay(second)
    assert assembler.ready == 0
    lay(first)
    assert assembler.ready == 1
    batch = assembler.take()
    assert batch is not None
    assert batch.array.flags["C_CONTIGUOUS"]
    assert batch.array.shape == (2, 2)


@pytest.mark.parametrize("odd", [result(1, (3,)), result(1).astype(np.uint8)], ids=["shape", "type"])
def test_results_that_differ_are_refused_with_the_reason(odd: Any) -> None:
    assembler = Assembler(Batching(2))
    assembler.place(0, result(0), lasting=True)
    with pytest.raises(TrialFailed, match=r"item 1 is .* and those before it in its batch are float32 of shape \(2,\)"):
        assembler.place(1, odd, lasting=True)


def test_results_that_differ_from_batch_to_batch_are_taken() -> None:
    assembler = Assembler(Batching(1))
    lay(assembler.place(0, result(0), lasting=True))
    lay(assembler.place(1, result(1, (3,)), lasting=True))
    assert taken(assembler) == [[0], [1]]


def test_items_far_ahead_are_early_until_a_batch_is_taken_and_the_missing_one_never_is() -> None:
    feed = Feed(Batching(2, queue=1), window=3)
    released: list[int] = []
    feed.when_due(4, released.append)
    assert [feed.is_early(item) for item in range(5)] == [False, False, False, True, True]
    for number in (1, 2, 0):
        feed.result(number, result(number), lasting=True)
    assert released == []
    assert feed.take() is not None
    assert not feed.is_early(4)
    assert released == [5]


def test_items_that_failed_make_room_for_others() -> None:
    feed = Feed(Batching(2, queue=1), window=3)
    for number in range(3):
        feed.missed(number)
    assert not feed.is_early(5)
    assert feed.is_early(6)


def test_whoever_waits_hears_of_a_consumer_that_has_failed() -> None:
    feed, heard = Feed(Batching(2, queue=1), window=3), []

    def worker() -> None:
        try:
            feed.wait(9)
        except TrialFailed as error:
            heard.append(str(error))

    thread = threading.Thread(target=worker)
    thread.start()
    feed.fail(TrialFailed("the step is broken"))
    thread.join(60)
    assert heard == ["the step is broken"]
    with pytest.raises(TrialFailed, match="broken"):
        feed.result(0, result(0), lasting=True)


def test_a_mode_that_hands_nothing_over_is_told_so() -> None:
    feed = Feed(Batching(2), window=3)
    feed.end(4)
    with pytest.raises(TrialFailed, match="handed over 0 of 4 items"):
        feed.take()


def test_two_runs_of_each_taker_are_within_the_window() -> None:
    batching = Batching(8, queue=2)
    for takers in (1, 2, 5, 40):
        assert 2 * takers * batching.longest_run(takers) <= max(batching.window(takers), 2 * takers)
        assert batching.window(takers, run=64) >= 2 * takers * 64
