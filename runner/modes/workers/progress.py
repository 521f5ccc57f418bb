"""How often the progress of an epoch is looked at and reported."""

from __future__ import annotations

from time import perf_counter

# Two wake-ups a second do not show in any timing.
PROGRESS_INTERVAL_S = 0.5


class ProgressTimer:
    """Says when the next report of progress is due: ``PROGRESS_INTERVAL_S`` after the last one."""

    def __init__(self) -> None:
        self._last = perf_counter()

    def due(self) -> bool:
        """Whether to report now; if so, the next report is an interval away."""
        now = perf_counter()
        if now - self._last <= PROGRESS_INTERVAL_S:
            return False
        self._last = now
        return True
