"""``mode=thread``: one thread a worker, the items dealt out beforehand."""

from __future__ import annotations

from runner.modes.sharing import Dealt, Sharing
from runner.modes.threads import ThreadMode


class Thread(ThreadMode):
    """Each hand has its items beforehand."""

    def sharing(self, workers: int) -> Sharing:
        return Dealt(workers)


PROVIDES = Thread
