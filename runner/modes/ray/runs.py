"""The items of an epoch in runs, which are sent to workers; a run that is lost with its worker is sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.options import Ray, Returns
from runner.errors import TrialKilled
from runner.modes import Intake, ModePlan
from runner.modes.workers.queues import run_length
from runner.modes.workers.returning import slot_bytes

# The results of a run come back together. A run has no more bytes of results than these, so that few are in shared memory at a time.
_RUN_BYTES = 8_000_000


@dataclass(frozen=True)
class Run:
    """Some items, and how often they were tried before."""

    items: range
    tries: int = 0


class Runs:
    """The runs of one epoch; those that are to be tried again come first.

    Attributes:
        again: what is to be tried again.
        retried: how many images were tried again, each counted as often as it was.
        held: the run that comes next, where it may not be sent yet.
    """

    def __init__(self, items: int, plan: ModePlan, intake: Intake | None = None) -> None:
        self._option: Ray = plan.mode
        self._workers = plan.workers
        # Results that stay need no limit, and their task may not say how large they are.
        self._longest = (
            items
            if self._option.returns is Returns.digest
            else max(1, _RUN_BYTES // slot_bytes(plan.pipeline.task, plan.pipeline.images))
        )
        self._longest = min(self._longest, plan.longest_run(plan.workers))
        self._intake = intake
        self.held: Run | None = None
        self._fresh = self._cut(items)
        self.again: deque[Run] = deque()
        self.retried = 0

    def next(self) -> Run | None:
        """The run to send next; None where there is none by now, or where it may not be sent yet.

        Raises:
            TrialError: the consumer has failed.
        """
        if self.again:
            return self.again.popleft()
        run, self.held = self.held or next(self._fresh, None), None
        if run is not None and self._intake is not None:
            self._intake.check()
            if self._intake.is_early(run.items.start):
                self.held = run
                return None
        return run

    def retry(self, run: Run, worker: str) -> None:
        """Try a run again that was lost with its worker.

        Raises:
            TrialKilled: it was tried often enough.
        """
        if run.tries >= self._option.max_retries:
            allowed = f"mode.max_retries={self._option.max_retries}"
            raise TrialKilled(f"{worker} has died, and its images were tried as often as they may be ({allowed})")
        self.retried += len(run.items)
        self.again.append(Run(run.items, run.tries + 1))

    def _cut(self, items: int) -> Iterator[Run]:
        start = 0
        while start < items:
            length = min(run_length(items - start, self._workers, self._option.chunksize), self._longest)
            stop = min(items, start + length)
            yield Run(range(start, stop))
            start = stop
