"""``mode=synthetic_process``: threads posing as processes, TensorFlow pinned to one thread. No process is started."""

from __future__ import annotations

from runner.modes.sharing import Dealt, Sharing
from runner.modes.threads import ThreadMode
from runner.tensorflow_threads import ThreadLimits


class SyntheticProcess(ThreadMode):
    """As ``Thread``, with limits of its own."""

    def sharing(self, workers: int) -> Sharing:
        return Dealt(workers)

    def limits(self) -> ThreadLimits:
        return ThreadLimits(intra_op=1, inter_op=1)


PROVIDES = SyntheticProcess
