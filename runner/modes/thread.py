"""``mode=thread``: one thread a worker, the items dealt out beforehand."""

from __future__ import annotations

from runner.modes.workers.sharing import Dealt, Sharing
from runner.modes.workers.threads import ThreadMode


class Thread(ThreadMode):
    """Each hand has its items beforehand."""

    def sharing(self, workers: int) -> Sharing:
        return Dealt(workers)


PROVIDES = Thread
