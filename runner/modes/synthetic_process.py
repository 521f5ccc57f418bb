"""``mode=synthetic_process``: threads posing as processes, TensorFlow pinned to one thread. No process is started."""

from __future__ import annotations

from runner.modes.workers.distribution import Distribution, StaticSplit
from runner.modes.workers.runtime import ThreadLimits
from runner.modes.workers.thread_mode import ThreadMode


class SyntheticProcess(ThreadMode):
    """As ``Thread``, with limits of its own."""

    def distribution(self, threads: int) -> Distribution:
        return StaticSplit(threads)

    def limits(self) -> ThreadLimits:
        return ThreadLimits(intra_op=1, inter_op=1)


PROVIDES = SyntheticProcess
