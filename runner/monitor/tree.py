"""A trial's process tree, looked at from outside."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from runner.host.memory import resident_bytes_and_threads
from runner.host.usage import cpu_s_of


@dataclass(frozen=True)
class Detail:
    """The sums over the processes of a tree; pages that several share count once for each."""

    rss_bytes: int
    threads: int
    processes: int


class Tree:
    """The processes known to belong to a trial, and what their CPU clocks have shown.

    Attributes:
        pids: the processes, the trial first; empty before its first message and after its end.
        used_s: CPU seconds that have been seen to be used by processes of the tree since ``start_counting``.
    """

    def __init__(self) -> None:
        self.pids: tuple[int, ...] = ()
        self.used_s = 0.0
        self._clocks: dict[int, float] = {}

    def become(self, pids: Iterable[int]) -> None:
        """The tree consists of these processes now; a new one counts with all its usage, since it was started within the tree."""
        self.pids = tuple(pids)

    def start_counting(self) -> None:
        """What has been used so far is not counted."""
        self._clocks = {pid: seconds for pid in self.pids if (seconds := cpu_s_of(pid)) is not None}
        self.used_s = 0.0

    def advance(self) -> float | None:
        """CPU seconds used since the last call; None where no clock could be read."""
        used, seen = 0.0, False
        for pid in self.pids:
            seconds = cpu_s_of(pid)
            if seconds is None:
                continue
            seen = True
            used += max(0.0, seconds - self._clocks.get(pid, 0.0))
            self._clocks[pid] = seconds
        self.used_s += used
        return used if seen else None

    def look_for_more(self) -> None:
        """Add processes that were started since. This searches all processes of the system, which is costly where there are many."""
        if not self.pids:
            return
        try:
            below = psutil.Process(self.pids[0]).children(recursive=True)
        except (psutil.Error, OSError):
            return
        self.pids = tuple(dict.fromkeys((*self.pids, *(process.pid for process in below))))

    def detail(self) -> Detail | None:
        """Memory, threads and number of the processes that still run; None where the system does not say."""
        readings = [reading for pid in self.pids if (reading := resident_bytes_and_threads(pid)) is not None]
        if not readings:
            return None
        return Detail(sum(rss for rss, _ in readings), sum(threads for _, threads in readings), len(readings))


class Pacing:
    """Says when a kind of reading is due: at its interval, or more rarely where it would cost more than it may.

    Args:
        interval_s: between readings.
        most: the share of a core that this kind may use.
    """

    def __init__(self, interval_s: float, most: float) -> None:
        self._interval_s = interval_s
        self._most = most
        self._usual_s = 0.0
        self._began = time.monotonic()
        self._next = self._began
        self._spent_s = 0.0

    def due(self, expected_s: float = 0.0) -> bool:
        """Whether it is time for one; ``expected_s`` is what a reading costs, as long as none has been made."""
        now, cost_s = time.monotonic(), self._usual_s or expected_s
        # A cheap kind of reading need not save up for its first.
        allowed_s = self._most * (now - self._began) + (_CHEAP_S if cost_s < _CHEAP_S else 0.0)
        return now >= self._next and self._spent_s + cost_s <= allowed_s

    def took(self, cost_s: float) -> None:
        """Count a reading that has cost this many CPU seconds."""
        self._usual_s = cost_s if not self._spent_s else 0.75 * self._usual_s + 0.25 * cost_s
        self._spent_s += cost_s
        # A little early, so that a reading at every sample is not missed for a timer's jitter.
        self._next = time.monotonic() + 0.9 * self._interval_s


# What is cheap enough, in CPU seconds, to be read at once.
_CHEAP_S = 0.002
