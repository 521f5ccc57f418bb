"""``task=python``: work that holds Python's interpreter lock from one end to the other, on purpose.

Pillow decodes and hands over a small picture; averaging and standardizing it are loops in Python. It stands for what is
written in plain Python: parsers, tokenizers, rules. Threads gain nothing on it, processes do.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import PIL.Image

from runner.config.options import Python
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import ArrayTask

PIL.Image.init()
# What is too large is refused by source.max_megapixels, and does not come here.
PIL.Image.MAX_IMAGE_PIXELS = None

# For each pixel of the result the loops get this many, across and down.
BOX = 4

_CHANNELS = 3


class PythonTask(ArrayTask):
    """The result is an ``array`` of float32, row by row, with mean 0 and variance 1; as NumPy has it ``(size, size, 3)``."""

    def __init__(self, config: Python, images: Sequence[Image]) -> None:  # noqa: ARG002  (any image will do)
        self._size = config.size

    def run(self, data: bytes, image: Image) -> Any:  # noqa: ARG002  (the bytes say it all)
        return standardized(box_sums(self._levels(data), self._size), BOX * BOX)

    def array(self, result: Any) -> Any:
        return np.frombuffer(result, np.float32).reshape(self._size, self._size, _CHANNELS)

    def _levels(self, data: bytes) -> bytes:
        edge = self._size * BOX
        picture: PIL.Image.Image = PIL.Image.open(io.BytesIO(data))
        picture.draft("RGB", (edge, edge))  # of a JPEG, no more is decoded than is needed
        return picture.convert("RGB").resize((edge, edge), PIL.Image.Resampling.BOX).tobytes()


def box_sums(levels: bytes, size: int) -> list[int]:
    """The sum of each box of ``BOX`` × ``BOX`` pixels, for ``size`` × ``size`` boxes of three channels."""
    row_bytes = size * BOX * _CHANNELS
    sums = []
    for row in range(size):
        for column in range(size):
            for channel in range(_CHANNELS):
                total = 0
                start = row * BOX * row_bytes + column * BOX * _CHANNELS + channel
                for line in range(start, start + BOX * row_bytes, row_bytes):
                    for place in range(line, line + BOX * _CHANNELS, _CHANNELS):
                        total += levels[place]
                sums.append(total)
    return sums


def standardized(sums: Sequence[int], parts: int) -> array[float]:
    """(x - mean) / max(deviation, 1 / √count) of the averages ``sums / parts``; the two sums are of integers, so they are exact."""
    total = squares = 0
    for value in sums:
        total += value
        squares += value * value
    count = len(sums)
    mean = total / count
    variance = (squares * count - total * total) / (count * count)
    deviation = max(variance**0.5, parts * count**-0.5)
    result = array("f")
    for value in sums:
        result.append((value - mean) / deviation)
    return result


PROVIDES = PythonTask
