"""``mode=loky``: joblib's reusable executor, whose processes are started afresh and told what to do by pickle."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from itertools import islice
from time import perf_counter
from typing import Any

from runner.config.options import Loky
from runner.errors import TrialFailed, TrialKilled
from runner.host.affinity import allowed_cpus
from runner.host.watchdog import die_with
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.sharing import AHEAD, run_length
from runner.modes.workers.threads import PROGRESS_INTERVAL_S
from runner.pipeline.collector import Collector
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.stamps import Records

# How long a worker that has said that it is ready keeps from saying so again, so that another one comes to say it, in seconds.
_WAIT_S = 0.02


class LokyMode:
    """``workers`` processes; this one hands them runs of items."""

    forks = False
    imports_here = False

    def __init__(self, plan: ModePlan) -> None:
        option: Loky = plan.mode
        self._plan = plan
        self._chunksize = option.chunksize
        self._executor: Any
        self._index: dict[int, int] = {}

    def start(self) -> list[Worker]:
        from joblib.externals.loky import get_reusable_executor

        self._executor = get_reusable_executor(
            max_workers=self._plan.workers, timeout=None, initializer=_initialize, initargs=(self._plan, os.getpid())
        )
        found: dict[int, Worker] = {}
        while len(found) < self._plan.workers:
            for answer in [self._executor.submit(_ready) for _ in range(self._plan.workers)]:
                worker = _result(answer)
                found.setdefault(worker.pid, worker)
        self._index = {pid: index for index, pid in enumerate(found)}
        return list(found.values())

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        collector = Collector(self._plan.spool)
        runs = self._runs(epoch.items)
        watch.released()
        pending = {self._submit(run, epoch) for run in islice(runs, AHEAD * self._plan.workers)}
        told = perf_counter()
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for ended in done:
                collector.add(_result(ended))
                if (run := next(runs, None)) is not None:
                    pending.add(self._submit(run, epoch))
            if pending and perf_counter() - told > PROGRESS_INTERVAL_S:
                watch.progress(len(collector))
                told = perf_counter()
        watch.finished()
        return collector.done()

    def _runs(self, items: int) -> Iterator[range]:
        start = 0
        while start < items:
            stop = min(items, start + run_length(items - start, self._plan.workers, self._chunksize))
            yield range(start, stop)
            start = stop

    def _submit(self, items: range, epoch: Epoch) -> Future[Records]:
        submitted: Future[Records] = self._executor.submit(_handle, items, self._index, epoch.number, epoch.verify)
        return submitted

    def facts(self) -> dict[str, Any]:
        """What the record is to say of this backend."""
        return {"replaces_workers_that_grow": False}

    def books(self) -> dict[int, Books]:
        return {}  # a worker of this executor cannot be asked by name: it is looked at from outside

    def stop(self) -> None:
        self._executor.shutdown(wait=True)


def _result(future: Future[Any]) -> Any:
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return future.result()
    except TerminatedWorkerError as error:
        raise TrialKilled(f"a worker of loky's executor was killed: {str(error).splitlines()[0]}") from error
    except Exception as error:
        raise TrialFailed(f"a worker: {error}", kind=type(error).__name__, remote_traceback=traceback.format_exc()) from error


# What a worker process has been made ready with: the executor calls functions, it keeps no objects. An exception of the
# initializer itself would end the executor without a word of why.
_pipeline: Pipeline | None = None
_worker: Worker | None = None
_failure: BaseException | None = None


def _initialize(plan: ModePlan, trial: int) -> None:
    from joblib.externals.loky import process_executor

    global _pipeline, _worker, _failure  # noqa: PLW0603
    die_with(trial)
    # A worker that has grown by 300 MB would be replaced, in the middle of an epoch. What a decoder keeps of a large image for the next
    # is no leak, and the import of TensorFlow in the new one would be timed as if it were work.
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf  # noqa: SLF001
    began = perf_counter()
    try:
        plan.pipeline.import_stages()
        import_s = perf_counter() - began
        threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
        _pipeline = plan.pipeline.build()
        _worker = Worker(pid=os.getpid(), threads=threads, import_s=import_s, cpus=allowed_cpus())
    except BaseException as error:  # raised again in whatever is asked of this worker
        _failure = error


def _ready() -> Worker:
    time.sleep(_WAIT_S)
    if _failure is not None:
        raise _failure
    assert _worker is not None  # noqa: S101  (there is one or the other)
    return _worker


def _handle(items: range, index: dict[int, int], number: int, verify: bool) -> Records:
    if _pipeline is None:
        raise RuntimeError("this worker has never been made ready")
    records = Records()
    if verify:
        _pipeline.verify(items, records)
    else:
        _pipeline.begin(number)
        _pipeline.handle(items, index[os.getpid()], 0, records)
        records.receipt = _pipeline.end()
    return records


PROVIDES = LokyMode
