"""``mode=spdl``: a pipeline of SPDL, whose one stage runs in ``workers`` threads, or in the processes of an executor.

Each epoch has a pipeline of its own, as one writes it; processes stay. Results come as they are done, or in the order of the images where
a consumer asks for it.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from spdl.pipeline import PipelineBuilder

from runner.config.options import RunIn, Spdl
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.loader_pass import LoaderPass, Numbers, ended_worker
from runner.modes.workers.loader_work import Handled, LoaderWork, batches_in, start_worker, this_thread
from runner.modes.workers.messages import WorkerFailure
from runner.modes.workers.named_memory import name_semaphores, remove_named
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.start_methods import end_fork_server, preload_fork_server, start_method
from runner.pipeline.stamps import Records

# How long a worker that has reported keeps busy, so that the next request for a report goes to another worker, in seconds.
_REPORT_S = 0.02

_Outcome = Handled | WorkerFailure


class SpdlMode(Mode):
    """A source of numbers of batches, one stage that handles them, a sink from which the trial takes them."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Spdl = plan.mode
        in_processes = self._option.run_in is RunIn.processes
        self._method = start_method(self._option.start_method) if in_processes else None
        self._work: LoaderWork
        self._executor: ProcessPoolExecutor | None = None
        self._processes: Sequence[BaseProcess] = ()
        self._numbers = Numbers(plan.workers)
        self.forks = self._method == "fork"
        self.imports_here = self._method in {None, "fork"}

    def start(self) -> list[Worker]:
        plan = self._plan
        if self._method is None:
            threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
            self._work = LoaderWork(plan, this_thread)
            return [Worker.this_process(threads)]
        name_semaphores()
        context = multiprocessing.get_context(self._method)
        if self._method == "forkserver":
            preload_fork_server(context, tensorflow=plan.pipeline.uses_tensorflow)
        self._executor = ProcessPoolExecutor(plan.workers, context, _initialize, (plan, os.getpid()))
        workers: dict[int, Worker] = {}
        while len(workers) < plan.workers:
            for future in [self._executor.submit(_report) for _ in range(plan.workers)]:
                try:
                    report = future.result()
                except Exception as error:
                    raise self._ended(error) from error
                self._processes = multiprocessing.active_children()
                if isinstance(report, WorkerFailure):
                    raise report.as_error()
                workers.setdefault(report.pid, report)
        return list(workers.values())

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        in_processes = self._executor is not None
        one_pass = LoaderPass(self._plan, epoch, events, self._numbers if in_processes else Numbers(self._plan.workers))
        shared = None if epoch.verify or in_processes else self._work.pipeline
        batch = partial(_batch, epoch=epoch) if in_processes else partial(self._work.batch, epoch=epoch)
        events.released()
        if shared is not None:
            shared.begin(epoch.number)
        for handled in self._outcomes(batch, batches_in(epoch.items, self._option.batch_size)):
            one_pass.take(handled)
        return one_pass.done(None if shared is None else shared.end)

    def _outcomes(self, batch: Callable[[int], _Outcome], batches: int) -> Iterator[_Outcome]:
        """What comes out of a pipeline.

        Raises:
            TrialError: a worker has ended.
        """
        source = PipelineBuilder().add_source(range(batches))
        stage = source.pipe(batch, concurrency=self._plan.workers, executor=self._executor, output_order=self._output_order)
        # A stage that raises would be a batch that is left out. This one does not, unless its process has ended.
        pipeline = stage.add_sink(self._option.buffer_size).build(num_threads=self._plan.workers, max_failures=0)
        try:
            with pipeline.auto_stop():
                yield from pipeline.get_iterator()
        except Exception as error:
            raise self._ended(error) from error

    @property
    def _output_order(self) -> str:
        """SPDL's word for whether results come as they are done, which is its default."""
        return "input" if self._plan.batches is not None and self._plan.batches.kept else "completion"

    def _ended(self, error: Exception) -> Exception:
        """The error for a worker that has ended, where one has; otherwise the error itself."""
        return ended_worker(self._processes, "SPDL's executor") or error

    def facts(self) -> dict[str, Any]:
        return {"output_order": self._output_order}

    def stop(self) -> None:
        if self._executor is None:
            self._work.pipeline.close()
            return
        self._executor.shutdown()
        if self._method == "forkserver":
            end_fork_server()

    @staticmethod
    def after_trial(pid: int) -> None:
        """Remove the semaphores of a trial that was killed."""
        remove_named(pid)


# The state of a worker process: the executor calls functions and keeps no objects. An exception that leaves the initializer would
# end the executor without saying why.
_work: LoaderWork | None = None
_start: Worker | WorkerFailure


def _initialize(plan: ModePlan, trial: int) -> None:
    global _work, _start  # noqa: PLW0603
    try:
        _work, _start = start_worker(plan, trial)
    except BaseException as error:  # returned to whoever asks for this worker's report
        _start = WorkerFailure.of(error)


def _report() -> Worker | WorkerFailure:
    time.sleep(_REPORT_S)
    return _start


def _batch(number: int, epoch: Epoch) -> _Outcome:
    """A batch, handled in a worker process."""
    assert _work is not None  # noqa: S101  (every worker has reported)
    return _work.batch(number, epoch)


PROVIDES = SpdlMode
