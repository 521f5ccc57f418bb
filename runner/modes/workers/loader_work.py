"""What the workers of another library's loader do with items: source, task and sink, and the result comes back with its record.

A loader calls a function with a number and hands on what that returns. What runs here is the same in every such mode; how numbers get to
the workers and results back is the library's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from runner.host.watchdog import die_with
from runner.modes import Epoch, ModePlan, Worker
from runner.modes.workers.messages import Returned, WorkerFailure
from runner.modes.workers.returning import ReturningSink
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks import Sink
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class Handled:
    """A batch that a worker has handled; of one item where results are handed out one by one.

    Attributes:
        first: its first item.
        records: of all its items. Their worker is the system's number of the process or thread, which the trial replaces.
        items: those that did not fail.
        arrays: the results of these: one after the other, or stacked in one array.
    """

    first: int
    records: Records
    items: Sequence[int]
    arrays: Any

    def returned(self) -> list[Returned]:
        """Each result by itself; none is copied."""
        return [Returned(item, array) for item, array in zip(self.items, self.arrays, strict=True)]


def batches_in(items: int, batch_size: int | None) -> int:
    """How many batches ``items`` items make."""
    return -(-items // (batch_size or 1))


def this_thread() -> int:
    """The system's number of the calling thread."""
    return threading.get_ident()


class LoaderWork:
    """Source, task and sink in a worker process, or for all worker threads of the trial; threads may call it at the same time.

    Args:
        plan: of the mode, whose option has a ``batch_size``.
        worker: the system's number of whoever handles an item, asked for at each call.
        alone: whether this process has no other thread that handles items, and is not notified when a pass begins or ends: then each batch is
            begun and ended as if it were one.
        stack: makes one array of several that are alike.
    """

    def __init__(
        self,
        plan: ModePlan,
        worker: Callable[[], int],
        *,
        alone: bool = False,
        stack: Callable[[Sequence[Any]], Any] | None = None,
    ) -> None:
        self._kept = _ByItem()
        self._worker, self._alone = worker, alone
        self._batch_size: int | None = plan.mode.batch_size
        self._stack = stack or _stack
        self.pipeline: Pipeline = plan.pipeline.build(self._returning)

    def _returning(self, sink: Sink, array: Callable[[Any], Any]) -> Sink:
        return ReturningSink(sink, array, self._kept, None)

    def batch(self, number: int, epoch: Epoch) -> Handled | WorkerFailure:
        """Handle or verify the batch with this number; whatever goes wrong is returned."""
        size = self._batch_size or 1
        try:
            handled = self._handled(range(number * size, min((number + 1) * size, epoch.items)), epoch)
            return handled if self._batch_size is None else self._stacked(handled)
        except BaseException as error:  # returned to the trial, which fails with it
            return WorkerFailure.of(error)

    def _handled(self, items: range, epoch: Epoch) -> Handled:
        records = Records()
        if epoch.verify:
            self.pipeline.verify(items, records)
        else:
            if self._alone:
                self.pipeline.begin(epoch.number)
            self.pipeline.handle(items, self._worker(), 0, records)
            if self._alone:
                records.receipt = self.pipeline.end()
        results = self._kept.taken(items)
        return Handled(items.start, records, [result.item for result in results], [result.array for result in results])

    def _stacked(self, handled: Handled) -> Handled | WorkerFailure:
        kinds = {(array.shape, array.dtype) for array in handled.arrays}
        if len(kinds) > 1:
            found = " and ".join(sorted(f"{dtype} of shape {tuple(shape)}" for shape, dtype in kinds)[:2])
            reason = f"mode.batch_size: results of a batch must be alike, and there are {found}"
            return WorkerFailure("RaggedResults", f"{reason}; accepted: a task with the step resize, or null", "")
        return replace(handled, arrays=self._stack(handled.arrays)) if handled.items else handled


def start_worker(plan: ModePlan, trial: int, stack: Callable[[Sequence[Any]], Any] | None = None) -> tuple[LoaderWork, Worker]:
    """Make this process a worker, which ends with the process ``trial``: imports, limits of threads, stages.

    Raises:
        Exception: whatever the stages raise where they cannot be built.
    """
    die_with(trial)
    began = perf_counter()
    plan.pipeline.import_stages()
    import_s = perf_counter() - began
    threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
    worker = Worker.this_process(threads, import_s)
    return LoaderWork(plan, lambda: worker.pid, alone=True, stack=stack), worker


def _stack(arrays: Sequence[Any]) -> Any:
    import numpy as np

    return np.stack(arrays)


class _ByItem:
    """Keeps results until their items are done; each thread asks for its own."""

    def __init__(self) -> None:
        self._kept: dict[int, Returned] = {}

    def send(self, message: Any) -> None:
        """Keep a result. What failed is in the records."""
        if isinstance(message, Returned):
            self._kept[message.item] = message

    def taken(self, items: Sequence[int]) -> list[Returned]:
        """The results of ``items``, which are kept no more."""
        return [kept for item in items if (kept := self._kept.pop(item, None)) is not None]
