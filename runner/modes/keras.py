"""``mode=keras``: a ``PyDataset`` with Keras's own queue, as ``Model.fit`` drives it: ``workers`` threads or processes, new in each epoch.

As in a program that calls ``fit``, TensorFlow runs in the process that asks for the batches before any worker is started.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from runner.config.options import Keras
from runner.host.watchdog import die_with
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.loader_pass import LoaderPass, Numbers
from runner.modes.workers.loader_work import Handled, LoaderWork, batches_in, this_thread
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.named_memory import name_semaphores, remove_named
from runner.modes.workers.runtime import Threads, start_runtime
from runner.modes.workers.start_methods import end_fork_server, preload_fork_server, start_method
from runner.pipeline.stamps import Records

# The only key of what a batch is for Keras.
_BATCH = "batch"

# How often each worker process is asked for its report, and how long it then keeps busy, so that the next one goes to another.
_REPORTS, _REPORT_S = 8, 0.02


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of one pass.

    Args:
        plan: of the mode.
        epoch: the pass; None asks for reports of worker processes.
        work: what handles items where workers are threads.
        threads: of the libraries in the trial, which forked workers inherit.
    """

    def __init__(self, plan: ModePlan, epoch: Epoch | None, work: LoaderWork | None, threads: Threads) -> None:
        option: Keras = plan.mode
        super().__init__(plan.workers, option.use_multiprocessing, option.max_queue_size)
        self._plan, self._epoch, self._work, self._threads = plan, epoch, work, threads
        self._trial = os.getpid()

    def __len__(self) -> int:
        """How many batches there are."""
        if self._epoch is None:
            return self._plan.workers * _REPORTS
        return batches_in(self._epoch.items, self._plan.mode.batch_size)

    def __getitem__(self, index: int) -> dict[str, Handled | WorkerFailure | Worker]:
        """A batch, made by whichever worker is free. Keras takes a tuple of inputs and targets, or a dict of whatever there is."""
        return {_BATCH: self._batch(index)}

    def _batch(self, index: int) -> Handled | WorkerFailure | Worker:
        if self._epoch is None:
            time.sleep(_REPORT_S)
            return Worker.this_process(self._threads)
        if self._work is None:
            try:
                self._work = self._started()
            except BaseException as error:  # returned to the trial, which fails with it
                return WorkerFailure.of(error)
        return self._work.batch(index, self._epoch)

    def _started(self) -> LoaderWork:
        """The stages, built in a process of the pool when it gets its first batch."""
        die_with(self._trial)
        if start_method(self._plan.mode.start_method) != "fork":  # what is forked has TensorFlow as it is in the trial
            start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
        return LoaderWork(self._plan, os.getpid, alone=True)


class KerasMode(Mode):
    """The queue hands batches on in their order; more than ``max_queue_size`` are never asked for ahead."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Keras = plan.mode
        self._method = start_method(self._option.start_method)
        self._threads: Threads
        self._work: LoaderWork | None = None

    def start(self) -> list[Worker]:
        self._threads = start_runtime(self._plan.limits)
        if not self._option.use_multiprocessing:
            self._work = LoaderWork(self._plan, this_thread)
            return [Worker.this_process(self._threads)]
        name_semaphores()
        multiprocessing.set_start_method(self._method, force=True)  # Keras asks for no other
        if self._method == "forkserver":
            preload_fork_server(multiprocessing.get_context("forkserver"), tensorflow=True)
        adapter = self._adapter(None)
        workers: dict[int, Worker] = {}
        for worker in self._outcomes(adapter):
            workers.setdefault(worker.pid, worker)
        _join_pool()
        adapter.on_epoch_end()
        return list(workers.values())

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        one_pass = LoaderPass(self._plan, epoch, events, Numbers(self._plan.workers))
        shared = None if epoch.verify or self._work is None else self._work.pipeline
        adapter = self._adapter(epoch)
        events.released()
        if shared is not None:
            shared.begin(epoch.number)
        for handled in self._outcomes(adapter):
            one_pass.take(handled)
        _join_pool()
        records = one_pass.done(None if shared is None else shared.end)
        adapter.on_epoch_end()
        return records

    def _adapter(self, epoch: Epoch | None) -> Any:
        """What ``fit`` makes of a ``PyDataset``: it has a queue, unless one thread is all that is asked for."""
        return PyDatasetAdapter(_Batches(self._plan, epoch, self._work, self._threads), shuffle=False)

    @staticmethod
    def _outcomes(adapter: Any) -> Iterator[Any]:
        """What Keras hands on, in the order of the batches."""
        adapter.on_epoch_begin()
        # After the last one Keras would wait a tenth of a second for more, before it stops its queue.
        return (batch[_BATCH] for batch in itertools.islice(adapter.get_numpy_iterator(), adapter.num_batches))

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"keras": keras.__version__}
        if self._option.use_multiprocessing:
            facts |= {"starts_workers_in_each_epoch": True}
        return facts

    def stop(self) -> None:
        if self._work is not None:
            self._work.pipeline.close()
        elif self._method == "forkserver":
            end_fork_server()

    @staticmethod
    def after_trial(pid: int) -> None:
        """Remove the semaphores of a trial that was killed."""
        remove_named(pid)


def _join_pool() -> None:
    """Wait for the processes of a pool that has no more work, so that their CPU seconds are ours to read. Keras does not."""
    for process in multiprocessing.active_children():
        process.join()


PROVIDES = KerasMode
