"""The time of day, by a clock that does not jump: the system's is read once, and the monotonic one counts on from there.

A clock that is set while a program runs, by an administrator or a time server, changes no duration and no order then. Over days the two may
drift apart by milliseconds; while a machine sleeps, this clock may stand still.
"""

from __future__ import annotations

import time
from functools import cache


@cache
def wall_offset_s() -> float:
    """What to add to ``time.perf_counter``, in seconds, for Unix time: the same as long as this program runs."""
    return time.time() - time.perf_counter()


def unix_time() -> float:
    """Seconds since 1970."""
    return time.perf_counter() + wall_offset_s()
