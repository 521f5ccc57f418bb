"""How much Python's interpreter lock (GIL) is in the way: what a thread that wakes up waits for it.

A thread sleeps for a few milliseconds at a time. Sleeping needs no lock, going on does; so whatever it comes back late, beyond
what the kernel says it spent waiting for a CPU (its run-queue delay), it has waited for the lock. As its wake-ups fall at
moments that have nothing to do with the work, the share of them that had to wait estimates the share of the time in which
the lock is held: at 100 % the threads that need it stand in line, and more of them do not help.

Its own cost: a wake-up takes about 20 µs of CPU, and where the lock is held by Python code it makes the holder give it up
after the interpreter's switch interval, as any other waiting thread would.
"""

from __future__ import annotations

import sys
import threading
import time
from array import array
from dataclasses import dataclass

from runner.host.run_queue import RunQueueDelay

# Seconds between wake-ups. Not a divisor of common frame and tick lengths, so that it does not fall into step with the work.
INTERVAL_S = 0.0047

# What counts as having waited: more than this. Undisturbed, a wake-up is 0.05 to 0.1 ms late (timer slack and the read-outs).
WAITED_S = 0.0003


@dataclass(frozen=True)
class GilWaits:
    """Waits during the timed epochs.

    Attributes:
        at_ns: of each wake-up on the shared clock; ``wait_ns``: how long each waited for the lock.
        exact: whether the wait excludes time spent waiting for a CPU.
        cpu_s: CPU seconds that the probe itself used.
    """

    at_ns: array[int]
    wait_ns: array[int]
    exact: bool
    cpu_s: float


class GilProbe:
    """Samples from ``start`` to ``stop``."""

    def __init__(self) -> None:
        self._ended = False
        self._at = array("q")
        self._waits = array("q")
        self._cpu_s = 0.0
        self._exact = False
        self._thread = threading.Thread(target=self._sample_on, name="gil-probe", daemon=True)

    @staticmethod
    def can_tell() -> bool:
        """Whether this interpreter has such a lock."""
        return bool(getattr(sys, "_is_gil_enabled", lambda: True)())

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> GilWaits:
        self._ended = True
        self._thread.join()
        return GilWaits(self._at, self._waits, self._exact, self._cpu_s)

    def _sample_on(self) -> None:
        began = time.thread_time()
        delays = RunQueueDelay()
        self._exact = delays.known
        interval_ns = int(INTERVAL_S * 1e9)
        while not self._ended:
            delay = delays.read_ns()
            slept = time.perf_counter_ns()
            time.sleep(INTERVAL_S)
            woke = time.perf_counter_ns()
            late = woke - slept - interval_ns - (delays.read_ns() - delay)
            self._at.append(woke)
            self._waits.append(max(0, late))
        delays.close()
        self._cpu_s = time.thread_time() - began
