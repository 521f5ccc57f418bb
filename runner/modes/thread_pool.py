"""``mode=thread_pool``: threads that take items from one queue."""

from __future__ import annotations

from runner.modes.workers.sharing import Queued, Sharing, ThreadQueue
from runner.modes.workers.threads import ThreadMode


class ThreadPool(ThreadMode):
    """Each hand takes items as soon as it is free."""

    def sharing(self, workers: int) -> Sharing:
        return Queued(ThreadQueue(workers, self._plan.mode.chunksize))


PROVIDES = ThreadPool
