"""``mode=process_pool``: processes that take items from one queue."""

from __future__ import annotations

from multiprocessing.context import BaseContext

from runner.modes.workers.distribution import Distribution, SharedQueue
from runner.modes.workers.process_mode import ProcessMode
from runner.modes.workers.queues import ProcessQueue


class ProcessPool(ProcessMode):
    """Each thread takes items as soon as it is free."""

    def distribution(self, context: BaseContext, threads: int) -> Distribution:
        return SharedQueue(ProcessQueue(context, threads, self._plan.mode.chunksize, self._plan.longest_run(threads)))


PROVIDES = ProcessPool
