"""Which worker handled an image, where the backend does not tell: lanes in which no two images overlap."""

from __future__ import annotations


class Lanes:
    """At most ``workers`` lanes; an image gets the one that had been free for the shortest time when it was started.

    Lanes that have been free for longer are left for images that were started earlier but come later. Images may come in any order in
    which one that ended before another was started comes before it: of the lanes that an image can have, taking the last to get free
    leaves those that serve every image the others would. Where none was free, by the little that clocks differ, it is the next to be.
    """

    def __init__(self, workers: int) -> None:
        self._free_at = [0] * workers

    def of(self, start: int, end: int) -> int:
        """The lane of an image with this start and end."""
        free_at = self._free_at
        free = [lane for lane, at in enumerate(free_at) if at <= start]
        lane = max(free, key=free_at.__getitem__) if free else free_at.index(min(free_at))
        free_at[lane] = end
        return lane
