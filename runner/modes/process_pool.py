"""``mode=process_pool``: processes that take items from one queue."""

from __future__ import annotations

from multiprocessing.context import BaseContext

from runner.modes.workers.processes import ProcessMode
from runner.modes.workers.sharing import ProcessQueue, Queued, Sharing


class ProcessPool(ProcessMode):
    """Each hand takes items as soon as it is free."""

    def sharing(self, context: BaseContext, hands: int) -> Sharing:
        return Queued(ProcessQueue(context, hands, self._plan.mode.chunksize))


PROVIDES = ProcessPool
