"""A trial's process tree, read from outside."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from runner.host.memory import resident_bytes_and_threads
from runner.host.processes import started_by
from runner.host.usage import cpu_s_of


@dataclass(frozen=True)
class Detail:
    """Sums over the processes of a tree; a shared page counts once for each process."""

    rss_bytes: int
    threads: int
    processes: int


class Tree:
    """The known processes of a trial, and the CPU time that they were seen to use.

    Attributes:
        pids: the processes, the trial first; empty before its first message and after its end.
        used_s: CPU seconds that the processes were seen to use since ``start_counting``.
    """

    def __init__(self) -> None:
        self.pids: tuple[int, ...] = ()
        self.used_s = 0.0
        self._named: tuple[int, ...] = ()
        self._clocks: dict[int, float] = {}

    def set_processes(self, pids: Iterable[int]) -> None:
        """The tree consists of these processes now. All usage of a new one counts, because the tree has started it."""
        self.pids = self._named = tuple(pids)

    def start_counting(self) -> None:
        """Count CPU seconds from now on."""
        self._clocks = {pid: seconds for pid in self.pids if (seconds := cpu_s_of(pid)) is not None}
        self.used_s = 0.0

    def advance(self) -> float | None:
        """CPU seconds used since the last call; None where no clock could be read."""
        used, any_clock = 0.0, False
        for pid in self.pids:
            seconds = cpu_s_of(pid)
            if seconds is None:
                continue
            any_clock = True
            used += max(0.0, seconds - self._clocks.get(pid, 0.0))
            self._clocks[pid] = seconds
        self.used_s += used
        return used if any_clock else None

    def add_started_processes(self) -> None:
        """Add processes that the tree has started since, and that run."""
        if self.pids:
            self.pids = tuple(dict.fromkeys((*self._named, *started_by(self.pids[0]))))
            self._clocks = {pid: seconds for pid, seconds in self._clocks.items() if pid in self.pids}

    def detail(self) -> Detail | None:
        """Memory, threads and number of the processes that still run; None if the system does not say."""
        readings = [reading for pid in self.pids if (reading := resident_bytes_and_threads(pid)) is not None]
        if not readings:
            return None
        return Detail(sum(rss for rss, _ in readings), sum(threads for _, threads in readings), len(readings))


class Pacing:
    """Decides when a kind of reading is due: at its interval, or more rarely if it would cost too much.

    Args:
        interval_s: between readings.
        most: the largest share of a core that this kind may use.
    """

    def __init__(self, interval_s: float, most: float) -> None:
        self._interval_s = interval_s
        self._most = most
        self._usual_s = 0.0
        self._began = time.monotonic()
        self._next = self._began
        self._spent_s = 0.0

    def due(self, expected_s: float = 0.0) -> bool:
        """Whether a reading is due; ``expected_s`` is its assumed cost until one has been made."""
        now, cost_s = time.monotonic(), self._usual_s or expected_s
        # The first reading of a cheap kind need not wait until its cost has been saved up.
        allowed_s = self._most * (now - self._began) + (_CHEAP_S if cost_s < _CHEAP_S else 0.0)
        return now >= self._next and self._spent_s + cost_s <= allowed_s

    def took(self, cost_s: float) -> None:
        """Count a reading that cost this many CPU seconds."""
        self._usual_s = cost_s if not self._spent_s else 0.75 * self._usual_s + 0.25 * cost_s
        self._spent_s += cost_s
        # A little early, so that a reading that is due at every sample is not missed because of a timer's jitter.
        self._next = time.monotonic() + 0.9 * self._interval_s


# Readings below this many CPU seconds are cheap.
_CHEAP_S = 0.002
