"""``mode=grain``: a ``MapDataset`` of Grain with threads that read and compute, or with processes (``mp_prefetch``).

Threads are those of a new iterator in each epoch, as one writes it. Processes stay from epoch to epoch, as those of a dataset that is
repeated do; they wait for the release of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import grain

from runner.config.options import Grain, RunIn
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.grain.gates import Doors
from runner.modes.grain.process import handled_in_process, start
from runner.modes.workers.loader_pass import LoaderPass, Numbers, ended_worker
from runner.modes.workers.loader_work import Handled, LoaderWork, batches_in, this_thread
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.named_memory import name_semaphores, remove_named
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.stamps import Records

# Items of all epochs are numbered on, in a dataset that never ends.
_ENDLESS = 2**62


class GrainMode(Mode):
    """Batches come in their order."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Grain = plan.mode
        self._in_processes = self._option.run_in is RunIn.processes
        self._work: LoaderWork
        self._doors: Doors
        self._numbers = Numbers(plan.workers)
        self._iterator: Any = None
        self._asking: ThreadPoolExecutor | None = None
        self._first: Future[Any] | None = None
        self.imports_here = not self._in_processes

    def start(self) -> list[Worker]:
        if not self._in_processes:
            threads = start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
            self._work = LoaderWork(self._plan, this_thread)
            return [Worker.this_process(threads)]
        name_semaphores()
        self._doors = Doors()
        dataset = grain.MapDataset.range(_ENDLESS).map(handled_in_process)
        options = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)  # the process itself reads and computes
        prefetched = dataset.to_iter_dataset(options).mp_prefetch(
            grain.MultiprocessingOptions(self._plan.workers, self._option.per_worker_buffer_size),
            partial(start, self._plan, os.getpid(), self._doors.address),
        )
        self._iterator = iter(prefetched)
        # Grain starts its processes where it is asked for the first batch, which comes when the first epoch has been released.
        self._asking = ThreadPoolExecutor(1, "first-batch")
        self._first = self._asking.submit(next, self._iterator)
        return self._doors.reports(self._plan.workers)

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        batches = batches_in(epoch.items, self._option.batch_size)
        numbers = self._numbers if self._in_processes else Numbers(self._plan.workers)
        one_pass = LoaderPass(self._plan, epoch, events, numbers)
        shared = None if self._in_processes or epoch.verify else self._work.pipeline
        iterator = self._iterator if self._in_processes else self._in_threads(epoch, batches)
        events.released()
        if self._in_processes:
            self._doors.open(epoch, batches)
        if shared is not None:
            shared.begin(epoch.number)
        for _ in range(batches):
            one_pass.take(self._next(iterator))
        records = one_pass.done(None if shared is None else shared.end)
        if not self._in_processes:
            iterator.close()
        return records

    def _in_threads(self, epoch: Epoch, batches: int) -> Any:
        options = grain.ReadOptions(self._plan.workers, max(self._plan.workers, self._option.prefetch_buffer_size))
        handled = partial(self._work.batch, epoch=epoch)
        return iter(grain.MapDataset.range(batches).map(handled).to_iter_dataset(options))

    def _next(self, iterator: Iterator[Any]) -> Handled | WorkerFailure:
        """The next batch.

        Raises:
            TrialError: a worker has ended.
        """
        first, self._first = self._first, None
        outcome: Any
        try:
            outcome = next(iterator) if first is None else first.result()
        except Exception as error:
            raise ended_worker(self._doors.processes if self._in_processes else (), "Grain") or error from error
        if not isinstance(outcome, tuple):
            return outcome  # type: ignore[no-any-return]
        handled: Handled = outcome[0]
        return replace(handled, arrays=outcome[1])

    def facts(self) -> dict[str, Any]:
        return {"grain": getattr(grain, "__version__", None)}

    def stop(self) -> None:
        if not self._in_processes:
            self._work.pipeline.close()
            return
        self._doors.close()
        if self._asking is not None:
            self._asking.shutdown()
        self._iterator.close()
        remove_named(os.getpid())  # Grain still holds the last results

    @staticmethod
    def after_trial(pid: int) -> None:
        """Remove the shared memory and the semaphores of a trial that was killed."""
        remove_named(pid)


PROVIDES = GrainMode
