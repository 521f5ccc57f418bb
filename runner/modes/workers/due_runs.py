"""Runs of items that the trial sends to workers, each when its first item may be handled; their results come back together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from runner.modes import Intake
from runner.modes.workers.messages import Returned
from runner.modes.workers.returning import ReturnCheck
from runner.pipeline.stamps import Records


class DueRuns:
    """Gives out runs in their order.

    Attributes:
        turn: is done when the run that comes next may be sent; None where nothing is waited for.
    """

    def __init__(self, runs: Iterator[range], intake: Intake | None) -> None:
        self.turn: Future[None] | None = None
        self._runs = runs
        self._intake = intake
        self._held: range | None = None

    def next(self) -> range | None:
        """The run to send now; None where there is none, or where it may not be sent yet.

        Raises:
            TrialError: the consumer has failed.
        """
        if self.turn is not None:
            if not self.turn.done():
                return None
            self.turn = None
        run, self._held = self._held or next(self._runs, None), None
        if run is None or self._intake is None:
            return run
        self._intake.check()
        if not self._intake.is_early(run.start):
            return run
        self._held, turn = run, Future[None]()
        self.turn = turn
        self._intake.when_due(run.start, lambda _: turn.set_result(None))
        return self.next() if turn.done() else None


def take_run(records: Records, results: Sequence[Returned], intake: Intake | None, check: ReturnCheck) -> None:
    """Take the results of a run, and hear which of its items failed.

    Raises:
        TrialError: the consumer has failed, or the results cannot be stacked.
    """
    for result in results:
        check.add(result.item, result.array)
        if intake is not None:
            intake.result(result.item, result.array, lasting=True)
    if intake is not None:
        for item in records.failed():
            intake.missed(item)
