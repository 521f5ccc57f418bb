"""The total time of a run of any size, start and end included, and the size from which another point is quicker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runner.record.reading import PointRecord, value_of

# The sizes of a run that people ask about.
SIZES = (10, 1_000, 100_000)


@dataclass(frozen=True)
class Cost:
    """What one point takes, in medians over its trials.

    Attributes:
        point: which.
        once_s: start-up and teardown, whatever the number of images. Imports are not in it.
        image_s: for each image: 1 ÷ throughput.
    """

    point: PointRecord
    once_s: float
    image_s: float

    def total_s(self, images: float) -> float:
        """The seconds that a run of this many images takes."""
        return self.once_s + self.image_s * images


@dataclass(frozen=True)
class BreakEven:
    """From ``images`` on, ``later`` is the quicker one; with fewer, ``sooner`` is."""

    sooner: PointRecord
    later: PointRecord
    images: int


def cost_of(point: PointRecord) -> Cost | None:
    """None where the point has no figures."""
    rate, startup_s, teardown_s = (value_of(point, name) for name in ("images_per_s", "startup_s", "teardown_s"))
    if not rate or startup_s is None or teardown_s is None:
        return None
    return Cost(point, startup_s + teardown_s, 1 / rate)


def break_even(one: Cost, other: Cost) -> BreakEven | None:
    """Where the two lines cross; None where one is the quicker for any number of images."""
    sooner, later = (one, other) if one.once_s < other.once_s else (other, one)
    if later.image_s >= sooner.image_s:
        return None
    images = (later.once_s - sooner.once_s) / (sooner.image_s - later.image_s)
    return BreakEven(sooner.point, later.point, max(1, math.ceil(images)))


def quickest(costs: Sequence[Cost], images: float) -> Cost:
    """The one with the least total."""
    return min(costs, key=lambda cost: cost.total_s(images))
