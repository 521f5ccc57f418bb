"""``mode=thread``: one thread a worker, the items split beforehand."""

from __future__ import annotations

from runner.modes.workers.distribution import Distribution, StaticSplit
from runner.modes.workers.thread_mode import ThreadMode


class Thread(ThreadMode):
    """Each thread has its items beforehand."""

    def distribution(self, threads: int) -> Distribution:
        return StaticSplit(threads)


PROVIDES = Thread
