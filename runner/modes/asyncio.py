"""``mode=asyncio``: many images are read at the same time by one thread, and decoded by a pool of threads."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from runner.config.options import Asyncio
from runner.host.affinity import allowed_cpus
from runner.host.environment import usable_cpus
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.sharing import ThreadQueue, taken
from runner.modes.workers.threads import PROGRESS_INTERVAL_S
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.stamps import Records


class AsyncioMode:
    """``workers`` coroutines, each with one image at a time.

    They read by the source's asynchronous driver; of a source that has none, by as many threads. Task and sink run in
    ``decode_threads`` threads; an image that waits for one of them is in its task stage.
    """

    forks = False
    imports_here = True

    def __init__(self, plan: ModePlan) -> None:
        option: Asyncio = plan.mode
        self._plan = plan
        self._queue = ThreadQueue(plan.workers, 1)
        self._loop: asyncio.AbstractEventLoop
        self._pipeline: Pipeline
        self._decoders = ThreadPoolExecutor(option.decode_threads or max(1, round(usable_cpus())), "decoder")
        self._readers: ThreadPoolExecutor | None = None

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build()
        _start_all(self._decoders)
        if not self._pipeline.reads_async:
            self._readers = ThreadPoolExecutor(self._plan.workers, "reader")
            _start_all(self._readers)
        self._loop = asyncio.new_event_loop()
        return [Worker(pid=os.getpid(), threads=threads, import_s=0.0, cpus=allowed_cpus())]

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        self._queue.fill(epoch.items)
        watch.released()
        if epoch.verify:
            self._pipeline.verify(range(epoch.items), records)
        else:
            self._pipeline.begin(epoch.number)
            self._loop.run_until_complete(self._epoch(records, collector, watch))
            records.receipt = self._pipeline.end()
        watch.finished()
        return collector.done([records])

    async def _epoch(self, records: Records, collector: Collector, watch: Watch) -> None:
        pending = {
            asyncio.create_task(
                self._pipeline.handle_async(
                    unloading(taken(self._queue), records, collector.add), worker, records, self._readers, self._decoders
                )
            )
            for worker in range(self._plan.workers)
        }
        while pending:
            done, pending = await asyncio.wait(pending, timeout=PROGRESS_INTERVAL_S)
            for ended in done:
                ended.result()
            if pending:
                watch.progress(len(collector) + len(records))

    def books(self) -> dict[int, Books]:
        return {}

    def stop(self) -> None:
        self._decoders.shutdown()
        if self._readers is not None:
            self._readers.shutdown()
        self._loop.run_until_complete(self._pipeline.close_async())
        self._loop.close()
        self._pipeline.close()


def _start_all(pool: ThreadPoolExecutor) -> None:
    """Have the pool start all its threads now, and not in the first epoch."""
    together = Barrier(pool._max_workers)  # noqa: SLF001  (there is no public way to ask)
    for waiting in [pool.submit(together.wait) for _ in range(together.parties)]:
        waiting.result()


PROVIDES = AsyncioMode
