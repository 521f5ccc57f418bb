"""Which worker handled an image, where the backend does not tell: lanes in which no two images overlap."""

from __future__ import annotations


class Lanes:
    """At most ``workers`` lanes; an image gets the first that was free when it was started.

    Images come in the order in which they end. Where none was free, by the little that clocks differ, it is the one that was free next.
    """

    def __init__(self, workers: int) -> None:
        self._free_at = [0] * workers

    def of(self, start: int, end: int) -> int:
        """The lane of an image with this start and end."""
        free_at = self._free_at
        lane = next((lane for lane, at in enumerate(free_at) if at <= start), None)
        if lane is None:
            lane = free_at.index(min(free_at))
        free_at[lane] = end
        return lane
