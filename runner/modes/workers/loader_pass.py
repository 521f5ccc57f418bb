"""One pass over the images as the trial sees it, where they come out of another library's loader."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from multiprocessing.process import BaseProcess

from runner.errors import TrialError, ended_by
from runner.modes import Epoch, EpochEvents, ModePlan
from runner.modes.workers.due_runs import take_run
from runner.modes.workers.loader_work import Handled, batches_in
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.returning import ReturnCheck
from runner.pipeline.collector import Collector
from runner.pipeline.receipts import Receipt
from runner.pipeline.stamps import WIDTH, Record, Records

_WORKER = Record._fields.index("worker")


class LoaderPass:
    """Takes what comes out of a loader, in one thread.

    What a loader does ahead is bounded by the loader: it waits where nothing is taken from it, and nothing is taken while the consumer is
    behind.
    """

    def __init__(self, plan: ModePlan, epoch: Epoch, events: EpochEvents, numbers: Numbers) -> None:
        self._collector, self._check = Collector(plan.spool), ReturnCheck(verify=epoch.verify)
        self._events, self._numbers, self._timer = events, numbers, ProgressTimer()
        batches = batches_in(epoch.items, plan.mode.batch_size)
        # Where workers end with the pass, they are there with the first batch, busy in the middle, and perhaps with the last.
        self._told_at, self._taken = {1, (batches + 1) // 2, batches}, 0

    def take(self, handled: Handled | WorkerFailure) -> None:
        """Take a batch; waits until its first item may be handed over.

        Raises:
            TrialError: a worker has failed, the consumer has, or the results cannot be stacked.
        """
        if isinstance(handled, WorkerFailure):
            raise handled.as_error()
        if (intake := self._events.intake) is not None:
            intake.wait(handled.first)
        self._numbers.put_into(handled.records)
        self._collector.add(handled.records)
        take_run(handled.records, handled.returned(), intake, self._check)
        self._taken += 1
        if self._timer.due() or self._taken in self._told_at:
            self._events.progress(len(self._collector))

    def done(self, end: Callable[[], Receipt] | None = None) -> Records:
        """All records, after the last item has been taken; ``end`` gives the receipt of what went to the sink, where workers did not.

        Raises:
            TrialFailed: a result of a verification is not what its worker sent.
        """
        receipt = Receipt() if end is None else end()
        self._events.finished()
        return self._check.complete(self._collector.done([Records(receipt=receipt)]))


class Numbers:
    """The numbers of workers, in the order in which they are first seen.

    Args:
        most: how many there are; one that comes later, in the place of one that has ended, gets a number that is there already.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._numbers: dict[int, int] = {}

    def put_into(self, records: Records) -> None:
        """Replace the system's numbers of workers in ``records``."""
        values, numbers = records.values, self._numbers
        for place in range(_WORKER, len(values), WIDTH):
            values[place] = numbers.setdefault(values[place], len(numbers) % self._most)


def ended_worker(processes: Iterable[BaseProcess], library: str) -> TrialError | None:
    """The error for a worker process of a library that has ended before it should; None where none has."""
    ended = [process for process in processes if process.exitcode]
    if not ended:
        return None
    # Where one is killed, a library may end the others, politely.
    first = min(ended, key=lambda process: process.exitcode == -signal.SIGTERM)
    return ended_by(f"a worker of {library} (pid {first.pid})", first.exitcode)
