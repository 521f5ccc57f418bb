"""``mode=asyncio``: one thread reads many images at the same time, a pool of threads decodes them."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

from runner.config.options import Asyncio
from runner.host.environment import usable_cpus
from runner.modes import Epoch, EpochEvents, Intake, Mode, ModePlan, Worker
from runner.modes.workers.progress import PROGRESS_INTERVAL_S
from runner.modes.workers.queues import ThreadQueue, items_from
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.turn import handed_on
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks.handing import HandingSink
from runner.pipeline.stamps import Records


class AsyncioMode(Mode):
    """``workers`` coroutines, each with one image at a time.

    They read by the source's asynchronous driver. A source without one is read by as many threads as there are coroutines. Task and
    sink run in ``decode_threads`` threads; an image that waits for one of these is in its task stage.
    """

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
        self._pipeline = self._plan.pipeline.build(HandingSink if self._plan.batches is not None else None)
        _start_all(self._decoders)
        if not self._pipeline.reads_async:
            self._readers = ThreadPoolExecutor(self._plan.workers, "reader")
            _start_all(self._readers)
        self._loop = asyncio.new_event_loop()
        return [Worker.this_process(threads)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        self._queue.fill(epoch.items)
        events.released()
        if epoch.verify:
            self._pipeline.verify(range(epoch.items), records)
        else:
            self._pipeline.begin(epoch.number)
            with handed_on(self._pipeline, events.intake):
                self._loop.run_until_complete(self._epoch(records, collector, events))
            records.receipt = self._pipeline.end()
        events.finished()
        return collector.done([records])

    async def _epoch(self, records: Records, collector: Collector, events: EpochEvents) -> None:
        turn = None if events.intake is None else partial(_turn, events.intake)
        pending = {
            asyncio.create_task(
                self._pipeline.handle_async(
                    unloading(items_from(self._queue), records, collector.add),
                    worker,
                    records,
                    self._readers,
                    self._decoders,
                    turn=turn,
                )
            )
            for worker in range(self._plan.workers)
        }
        while pending:
            done, pending = await asyncio.wait(pending, timeout=PROGRESS_INTERVAL_S)
            for ended in done:
                ended.result()
            if pending:
                events.progress(len(collector) + len(records))

    def stop(self) -> None:
        self._decoders.shutdown()
        if self._readers is not None:
            self._readers.shutdown()
        self._loop.run_until_complete(self._pipeline.close_async())
        self._loop.close()
        self._pipeline.close()


async def _turn(intake: Intake, item: int) -> None:
    """Return when an item may be handled; other coroutines go on meanwhile."""
    if intake.is_early(item):
        loop, due = asyncio.get_running_loop(), asyncio.Event()
        intake.when_due(item, lambda _: loop.call_soon_threadsafe(due.set))
        await due.wait()
    intake.check()


def _start_all(pool: ThreadPoolExecutor) -> None:
    """Have the pool start all its threads now, and not in the first epoch."""
    barrier = Barrier(pool._max_workers)  # noqa: SLF001  (there is no public way to ask)
    for waiting in [pool.submit(barrier.wait) for _ in range(barrier.parties)]:
        waiting.result()


PROVIDES = AsyncioMode
