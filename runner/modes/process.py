"""``mode=process``: one process a worker, the items dealt out beforehand."""

from __future__ import annotations

from multiprocessing.context import BaseContext

from runner.modes.workers.processes import ProcessMode
from runner.modes.workers.sharing import Dealt, Sharing


class Process(ProcessMode):
    """Each hand has its items beforehand."""

    def sharing(self, context: BaseContext, hands: int) -> Sharing:  # noqa: ARG002  (nothing is shared)
        return Dealt(hands)


PROVIDES = Process
