"""How far the clocks of other hosts are from this one's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter_ns

from runner.modes.ray.calls import Calls
from runner.modes.ray.worker_handle import WorkerHandle
from runner.modes.ray.workers import Workers
from runner.pipeline.stamps import WIDTH, Record, Records

_READINGS = 10

# Which of a record's integers are times.
_TIMES = slice(Record._fields.index("read_start"), Record._fields.index("end") + 1)


@dataclass(frozen=True)
class Clock:
    """A host's clock minus this one's, and by how much that may be wrong, in nanoseconds."""

    offset_ns: int
    error_ns: int

    @classmethod
    def estimated(cls, read: Callable[[], int]) -> Clock:
        """From the quickest of some readings: the clock showed its time between the request and the answer (Cristian, 1989)."""
        best: Clock | None = None
        for _ in range(_READINGS):
            requested = perf_counter_ns()
            shown = read()
            answered = perf_counter_ns()
            error = (answered - requested) // 2
            if best is None or error < best.error_ns:
                best = cls(shown - (requested + answered) // 2, error)
        assert best is not None  # noqa: S101  (there is more than one reading)
        return best


class HostClocks:
    """The clocks of the other hosts that have workers."""

    def __init__(self, workers: Workers, calls: Calls) -> None:
        self._workers, self._calls = workers, calls
        self._clocks: dict[str, Clock] = {}

    def estimate(self) -> None:
        """Estimate each anew, with the help of one worker on it."""
        for host, worker in {one.known_location.host: one for one in self._workers.alive() if one.remote}.items():

            def read(worker: WorkerHandle = worker) -> int:
                return int(self._calls.result(worker.call("clock"), worker))

            with contextlib.suppress(*self._calls.died):  # the next run of items shows it
                self._clocks[host] = Clock.estimated(read)

    def of(self, worker: WorkerHandle) -> Clock | None:
        """The clock of a worker; None if it is this host's."""
        return self._clocks.get(worker.known_location.host)

    def correct(self, records: Records, worker: WorkerHandle) -> None:
        """Turn the times in a worker's records into times of this host's clock, in place."""
        if (clock := self.of(worker)) is not None and records.values:
            import numpy as np

            np.frombuffer(records.values, np.int64).reshape(-1, WIDTH)[:, _TIMES] -= clock.offset_ns
