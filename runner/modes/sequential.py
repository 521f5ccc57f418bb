"""``mode=sequential``: one image after the other, in the main thread of the trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from time import perf_counter

from runner.host.affinity import allowed_cpus
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.threads import PROGRESS_INTERVAL_S
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.stamps import Records


class Sequential:
    """One worker, which is this thread."""

    forks = False
    imports_here = True

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._pipeline: Pipeline

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build()
        return [Worker(pid=os.getpid(), threads=threads, import_s=0.0, cpus=allowed_cpus())]

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        watch.released()
        if epoch.verify:
            self._pipeline.verify(range(epoch.items), records)
        else:
            self._pipeline.begin(epoch.number)
            items = unloading(_with_progress(epoch.items, watch), records, collector.add)
            self._pipeline.handle(items, 0, 0, records)
            records.receipt = self._pipeline.end()
        watch.finished()
        return collector.done([records])

    def books(self) -> dict[int, Books]:
        return {}

    def stop(self) -> None:
        self._pipeline.close()


def _with_progress(items: int, watch: Watch) -> Iterator[int]:
    told = perf_counter()
    for item in range(items):
        yield item
        if (now := perf_counter()) - told > PROGRESS_INTERVAL_S:
            watch.progress(item + 1)
            told = now


PROVIDES = Sequential
