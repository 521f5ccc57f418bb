"""Every item goes to exactly one worker, however many reach for it at once."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.connection import Connection
from typing import Any

import pytest

from runner.modes.workers.distribution import StaticSplit
from runner.modes.workers.queues import LONGEST_RUN, ProcessQueue, ThreadQueue, items_from, run_length


@pytest.mark.parametrize(("items", "threads"), [(15, 15), (16, 15), (3, 15), (1000, 7), (0, 3)])
def test_items_that_are_split_beforehand_go_to_one_thread_each(items: int, threads: int) -> None:
    split = StaticSplit(threads)
    given = [item for thread in range(threads) for item in split.items_for(items, thread)]
    assert sorted(given) == list(range(items))
    sizes = [len(split.items_for(items, thread)) for thread in range(threads)]
    assert max(sizes) - min(sizes) <= 1


def test_runs_shrink_towards_the_end() -> None:
    lengths = []
    remaining = 10_000
    while remaining:
        lengths.append(run_length(remaining, 4))
        remaining -= lengths[-1]
    assert lengths == sorted(lengths, reverse=True)
    assert (lengths[0], lengths[-1]) == (LONGEST_RUN, 1)
    assert sum(lengths) == 10_000


def test_threads_take_each_item_once_in_every_epoch() -> None:
    queue = ThreadQueue(8)
    for items in (1000, 3, 0, 500):
        queue.fill(items)
        got: list[list[int]] = [[] for _ in range(8)]
        threads = [threading.Thread(target=lambda mine=mine: mine.extend(items_from(queue))) for mine in got]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(item for mine in got for item in mine) == list(range(items))


def take_all(queue: ProcessQueue, connection: Connection) -> None:
    while connection.recv():
        connection.send(list(items_from(queue)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_take_each_item_once_in_every_epoch(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    queue = ProcessQueue(context, 4)
    pipes = [context.Pipe() for _ in range(4)]
    processes: list[Any] = [context.Process(target=take_all, args=(queue, there)) for _, there in pipes]
    for process in processes:
        process.start()
    for items in (1000, 3, 0, 500):
        queue.fill(items)
        for here, _ in pipes:
            here.send(True)
        got = [item for here, _ in pipes for item in here.recv()]
        assert sorted(got) == list(range(items))
    for here, _ in pipes:
        here.send(False)
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    queue.close()
