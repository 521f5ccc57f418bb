"""How long a thread that wakes up waits for Python's interpreter lock (GIL).

A thread sleeps for a few milliseconds at a time. It sleeps without the lock and needs the lock to go on. If it wakes up late, it has
waited for a CPU or for the lock; the kernel says how long it waited for a CPU (its run-queue delay), and the rest is the lock. The
wake-ups are independent of the work, so the share of them that had to wait estimates the share of the time in which the lock is held.
At 100 % the threads that need the lock queue for it, and more threads do not help.

The probe costs about 20 µs of CPU a wake-up. Like any waiting thread it makes Python code that holds the lock release it after the
interpreter's switch interval.
"""

from __future__ import annotations

import threading
import time
from array import array
from dataclasses import dataclass

from runner.host.interpreter_facts import has_lock
from runner.host.run_queue import RunQueueDelay

# Seconds between wake-ups. No divisor of common frame and tick lengths, so that the wake-ups do not keep step with the work.
INTERVAL_S = 0.0047

# A wake-up that is later than this has waited. Without any wait it is 0.05 to 0.1 ms late (timer slack and the readings).
WAITED_S = 0.0003


@dataclass(frozen=True)
class GilWaits:
    """Waits during the timed epochs.

    Attributes:
        at_ns: the time of each wake-up, on the shared clock.
        wait_ns: how long each wake-up waited for the lock.
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
    def has_lock() -> bool:
        """Whether this interpreter has such a lock."""
        return has_lock()

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
