"""Which worker handled an image, where TensorFlow does not say: each worker is a lane in which no two images overlap."""

from __future__ import annotations


class WorkerLanes:
    """At most ``workers`` lanes. An image gets the lane that was free when the image started, and had been free for the shortest time.

    The other free lanes are left for images that started earlier and are taken later. This choice always leaves lanes that fit, if
    images are taken in an order such that an image that ended before another one started is taken before it. Where no lane was free,
    because clocks differ a little, the image gets the lane that is free next.
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
