"""What the steps by chance do to an image: decided here for every library, by the task's seed and the image's own bytes.

So the same image comes out the same in every mode, worker, epoch and run, and in every library the same thing is done to it.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from runner.pipeline.sources.image import Image


class Chances(NamedTuple):
    """All that is left to chance, drawn whether or not a step asks for it, so that no step changes another's.

    Attributes:
        flip: from 0 to 1; under 0.5 the image is flipped.
        left, top: from 0 to 1, where the crop lies between one border and the other.
        brightness, contrast, saturation: from -1 to 1, between the least and the largest factor.
    """

    flip: float
    left: float
    top: float
    brightness: float
    contrast: float
    saturation: float


class Box(NamedTuple):
    """A part of an image, in pixels; ``right`` and ``bottom`` lie just outside."""

    left: int
    top: int
    right: int
    bottom: int


def chances(seed: int, image: Image) -> Chances:
    """What ``seed`` has in store for ``image``."""
    draw = random.Random(f"{seed}/{image.digest}")  # noqa: S311  (chances, not secrets)
    return Chances(draw.random(), draw.random(), draw.random(), *(draw.uniform(-1, 1) for _ in range(3)))


def is_flipped(drawn: Chances) -> bool:
    """Whether left and right are exchanged."""
    return drawn.flip < 0.5


def crop_box(drawn: Chances, width: int, height: int, part: float) -> Box:
    """The box with ``part`` of each edge, rounded to pixels, of which it has at least one."""
    across, down = (max(1, int(edge * part + 0.5)) for edge in (width, height))
    left, top = int(drawn.left * (width - across + 1)), int(drawn.top * (height - down + 1))
    return Box(left, top, left + across, top + down)


def factors(drawn: Chances, strength: float) -> tuple[float, float, float]:
    """Brightness, contrast, saturation: each from 1 - ``strength`` to 1 + ``strength``.

    With luma = 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), each cut off at 0 and 255:
    brightness multiplies; contrast multiplies the distance from the mean luma of the image; saturation that from the pixel's luma.
    """
    brightness, contrast, saturation = (1 + strength * chance for chance in drawn[3:])
    return brightness, contrast, saturation
