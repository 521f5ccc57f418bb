"""``mode=process``: one process a worker, the items split beforehand."""

from __future__ import annotations

from multiprocessing.context import BaseContext

from runner.modes.workers.distribution import Distribution, StaticSplit
from runner.modes.workers.process_mode import ProcessMode


class Process(ProcessMode):
    """Each thread has its items beforehand."""

    def distribution(self, context: BaseContext, threads: int) -> Distribution:  # noqa: ARG002  (nothing is shared)
        return StaticSplit(threads)


PROVIDES = Process
