"""The standard library's executors with nothing around them, as modes, so that they run in the same kind of trial."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.runtime import Threads, start_runtime
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sources import Image
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class Bare:
    """Which executor: ``threads`` or ``processes``."""

    kind: str


class _Job:
    """The function that both sides map: read, run, put; no stamps, no record."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._images: list[Image] = list(pipeline.images)
        self._reader = pipeline.reader
        self._task = pipeline.task
        self._sink = pipeline.sink

    def __call__(self, item: int) -> None:
        image = self._images[item % len(self._images)]
        self._sink.put(self._task.run(self._reader.read(image), image), item)


_job: _Job


def _initialize(plan: ModePlan) -> None:
    global _job  # noqa: PLW0603
    start_runtime(plan.limits)
    _job = _Job(plan.pipeline.build())


def _call(item: int) -> None:
    _job(item)


def _pid(_: int) -> int:
    return os.getpid()


class BareExecutor(Mode):
    """``Executor.map`` over the items, the result thrown away as it comes."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self.forks = plan.mode.kind == "processes"
        self._executor: Executor

    def start(self) -> list[Worker]:
        """One worker a thread or process; a process says who it is, so that its CPU seconds are counted."""
        plan = self._plan
        if plan.mode.kind == "threads":
            _initialize(plan)
            self._executor = ThreadPoolExecutor(plan.workers)
        else:
            context = multiprocessing.get_context("fork")
            self._executor = ProcessPoolExecutor(plan.workers, context, _initialize, (plan,))
        pids = set(self._executor.map(_pid, range(plan.workers * 20)))
        return [Worker(pid, Threads(1, 1, 1), 0.0) for pid in pids]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records = Records()
        if epoch.verify:
            return records
        events.released()
        for item, _ in enumerate(self._executor.map(_call, range(epoch.items))):
            records.values.extend((item, 0, 0, 0, 0, 0, 0, 1))
        events.finished()
        return records

    def stop(self) -> None:
        self._executor.shutdown()


PROVIDES = BareExecutor
