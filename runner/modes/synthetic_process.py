"""``mode=synthetic_process``: threads posing as processes, TensorFlow pinned to one thread. No process is started."""

from __future__ import annotations

from runner.modes.workers.runtime import ThreadLimits
from runner.modes.workers.sharing import Dealt, Sharing
from runner.modes.workers.threads import ThreadMode


class SyntheticProcess(ThreadMode):
    """As ``Thread``, with limits of its own."""

    def sharing(self, workers: int) -> Sharing:
        return Dealt(workers)

    def limits(self) -> ThreadLimits:
        return ThreadLimits(intra_op=1, inter_op=1)


PROVIDES = SyntheticProcess
