"""What a worker process of Grain does: it reports when it is ready, and handles the batches of each epoch that has been released."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.host.connections import Connection
from runner.modes import ModePlan
from runner.modes.grain.gates import Released, knock
from runner.modes.workers.loader_work import LoaderWork, start_worker
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.named_memory import name_shared_memory

# The state of a worker process: Grain calls functions and keeps no objects.
_work: LoaderWork | None = None
_door: Connection | None = None
_released: Released | None = None


def start(plan: ModePlan, trial: int, address: Any, index: int, count: int) -> None:
    """Make this process a worker, before Grain asks it for anything."""
    del index, count
    global _work, _door  # noqa: PLW0603
    name_shared_memory(trial)
    try:
        _work, worker = start_worker(plan, trial)
    except BaseException as error:  # sent to the trial, which fails with it
        knock(address, WorkerFailure.of(error))
        raise
    _door = knock(address, worker)


def handled_in_process(number: int) -> Any:
    """The batch with a number that counts through all epochs: what was handled, and its results, which Grain puts into shared memory.

    Waits where its epoch has not been released. A failure is returned by itself.
    """
    global _released  # noqa: PLW0603
    assert _work is not None  # noqa: S101  (started before)
    assert _door is not None  # noqa: S101
    while _released is None or number >= _released.stop:
        _released = _door.recv()
    handled = _work.batch(number - _released.start, _released.epoch)
    return handled if isinstance(handled, WorkerFailure) else (replace(handled, arrays=()), handled.arrays)
