"""``mode=loky``: joblib's reusable executor, which starts fresh processes and sends them their work pickled."""

from __future__ import annotations

import contextlib
import math
import os
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from time import perf_counter
from typing import Any

from runner.config.options import Loky
from runner.errors import TrialFailed, TrialKilled
from runner.host.watchdog import die_with
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.due_runs import DueRuns, take_run
from runner.modes.workers.messages import Returned
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.queues import RUNS_PER_WORKER, run_length
from runner.modes.workers.returning import Kept, ReturnCheck, ReturningSink
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.collector import Collector
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks import Sink
from runner.pipeline.stamps import Records

# Where Linux shows semaphores that have names (sem_overview(7)).
_NAMED_SEMAPHORES = Path("/dev/shm")  # noqa: S108  (only what is there is removed)

# How long a worker that has reported keeps busy, so that the next request for a report goes to another worker, in seconds.
_REPORT_S = 0.02


class LokyMode(Mode):
    """``workers`` processes, to which this one sends runs of items.

    No usage is asked for: a request to the executor goes to any worker, so that workers are looked at from outside.
    """

    imports_here = False

    def __init__(self, plan: ModePlan) -> None:
        option: Loky = plan.mode
        self._plan = plan
        self._chunksize = option.chunksize
        self._executor: Any
        self._numbers: dict[int, int] = {}  # of the workers, by pid

    def start(self) -> list[Worker]:
        from joblib.externals.loky import get_reusable_executor

        self._executor = get_reusable_executor(
            max_workers=self._plan.workers, timeout=None, initializer=_initialize, initargs=(self._plan, os.getpid())
        )
        workers: dict[int, Worker] = {}
        while len(workers) < self._plan.workers:
            for report in [self._executor.submit(_report) for _ in range(self._plan.workers)]:
                worker = _result(report)
                workers.setdefault(worker.pid, worker)
        self._numbers = {pid: number for number, pid in enumerate(workers)}
        return list(workers.values())

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        collector, check = Collector(self._plan.spool), ReturnCheck(verify=epoch.verify)
        runs = DueRuns(self._runs(epoch.items), events.intake)
        most, timer = RUNS_PER_WORKER * self._plan.workers, ProgressTimer()
        events.released()
        pending: set[Future[Any]] = set()
        while True:
            while len(pending) < most and (run := runs.next()) is not None:
                pending.add(self._submit(run, epoch))
            if not pending and runs.turn is None:
                break
            done, _ = wait(pending if runs.turn is None else {*pending, runs.turn}, return_when=FIRST_COMPLETED)
            for ended in pending & done:
                records, results = _result(ended)
                collector.add(records)
                take_run(records, results, events.intake, check)
            pending -= done
            if pending and timer.due():
                events.progress(len(collector))
        events.finished()
        return check.complete(collector.done())

    def _runs(self, items: int) -> Iterator[range]:
        start, workers = 0, self._plan.workers
        while start < items:
            stop = min(items, start + run_length(items - start, workers, self._chunksize, self._plan.longest_run(workers)))
            yield range(start, stop)
            start = stop

    def _submit(self, items: range, epoch: Epoch) -> Future[Any]:
        submitted: Future[Any] = self._executor.submit(_handle, items, self._numbers, epoch.number, epoch.verify)
        return submitted

    def facts(self) -> dict[str, Any]:
        return {"replaces_workers_that_grow": False}

    def stop(self) -> None:
        self._executor.shutdown(wait=True)

    @staticmethod
    def after_trial(pid: int) -> None:
        """Remove the semaphores of a trial that was killed, and loky's tracker of them with it."""
        for semaphore in _NAMED_SEMAPHORES.glob(f"sem.loky-{pid}-*"):
            with contextlib.suppress(OSError):
                semaphore.unlink()


def _result(future: Future[Any]) -> Any:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return future.result()
    except TerminatedWorkerError as error:
        raise TrialKilled(f"a worker of loky's executor was killed: {str(error).splitlines()[0]}") from error
    except Exception as error:
        raise TrialFailed(f"a worker: {error}", kind=type(error).__name__, remote_traceback=traceback.format_exc()) from error


# The state of a worker process: the executor calls functions and keeps no objects. An exception that leaves the initializer would
# end the executor without saying why.
_pipeline: Pipeline | None = None
_worker: Worker | None = None
_failure: BaseException | None = None
_kept = Kept()


def _returning(sink: Sink, array: Callable[[Any], Any]) -> Sink:
    return ReturningSink(sink, array, _kept, None)


def _initialize(plan: ModePlan, trial: int) -> None:
    from joblib.externals.loky import process_executor

    global _pipeline, _worker, _failure  # noqa: PLW0603
    die_with(trial)
    # The executor would replace a worker that has grown by 300 MB, in the middle of an epoch. The memory that a decoder keeps of a large
    # image for the next one is no leak, and the new worker's import of TensorFlow would be timed as if it were work.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf  # noqa: SLF001
    began = perf_counter()
    try:
        plan.pipeline.import_stages()
        import_s = perf_counter() - began
        threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
        _pipeline = plan.pipeline.build(None if plan.batches is None else _returning)
        _worker = Worker.this_process(threads, import_s)
    except BaseException as error:  # raised again in whatever is asked of this worker
        _failure = error


def _report() -> Worker:
    time.sleep(_REPORT_S)
    if _failure is not None:
        raise _failure
    assert _worker is not None  # noqa: S101  (there is one or the other)
    return _worker


def _handle(items: range, numbers: dict[int, int], epoch: int, verify: bool) -> tuple[Records, list[Returned]]:
    """The records of a run of items, and the results that come back."""
    if _pipeline is None:
        raise RuntimeError("this worker was never initialized")
    records = Records()
    if verify:
        _pipeline.verify(items, records)
    else:
        _pipeline.begin(epoch)
        _pipeline.handle(items, numbers[os.getpid()], 0, records)
        records.receipt = _pipeline.end()
    return records, _kept.taken()


PROVIDES = LokyMode
