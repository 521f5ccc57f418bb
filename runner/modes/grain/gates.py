"""Where Grain's worker processes wait: each has a connection to the trial, by which it reports and hears of each epoch's release.

Without it they would go on to the next epoch before that is released.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener
from typing import Any

from runner.host.connections import Connection
from runner.modes import Epoch, Worker
from runner.modes.workers.messages import WorkerFailure


@dataclass(frozen=True)
class Released:
    """A pass has been released.

    Attributes:
        epoch: it.
        start, stop: the numbers of its batches, counted through all passes.
    """

    epoch: Epoch
    start: int
    stop: int


class Doors:
    """The trial's side, for all workers.

    Attributes:
        processes: those that were started.
    """

    def __init__(self) -> None:
        self._listener = Listener(authkey=bytes(multiprocessing.current_process().authkey))
        self._doors: list[Connection] = []
        self._next = 0
        self.processes: Sequence[Any] = ()

    @property
    def address(self) -> Any:
        """Where a worker knocks."""
        return self._listener.address

    def reports(self, workers: int) -> list[Worker]:
        """The reports of all workers, when the last one is ready.

        Raises:
            TrialFailed: a worker cannot be made ready.
        """
        reports: list[Worker] = []
        for _ in range(workers):
            door: Any = self._listener.accept()
            self._doors.append(door)
            report = door.recv()
            if isinstance(report, WorkerFailure):
                raise report.as_error()
            reports.append(report)
        self.processes = multiprocessing.active_children()
        return reports

    def open(self, epoch: Epoch, batches: int) -> None:
        """Let all workers handle the batches of a pass."""
        start, self._next = self._next, self._next + batches
        for door in self._doors:
            try:
                door.send(Released(epoch, start, self._next))
            except OSError:  # its end is noticed where batches are taken
                continue

    def close(self) -> None:
        """Let the workers go."""
        for door in self._doors:
            door.close()
        self._listener.close()


def knock(address: Any, message: Worker | WorkerFailure) -> Connection:
    """In a worker: report to the trial; returns the connection by which releases come."""
    door: Any = Client(address, authkey=bytes(multiprocessing.current_process().authkey))
    door.send(message)
    return door  # type: ignore[no-any-return]
