"""The images of a source in one piece of memory, for workers that cannot reach the source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.pipeline.sources import Reader
from runner.pipeline.sources.image import Image

# Which bytes of which file: two images of a file of many have one path.
_Key = tuple[str, int | None]


@dataclass(frozen=True)
class Shipment:
    """The bytes of images.

    Attributes:
        content: all of them one after the other, a uint8 array.
        spans: where each begins and ends in it.
    """

    content: Any
    spans: dict[_Key, tuple[int, int]]

    @classmethod
    def of(cls, images: Sequence[Image], reader: Reader) -> Shipment:
        """Read every image once.

        Raises:
            OSError: one cannot be had.
        """
        import numpy as np

        content, spans = bytearray(), {}
        for image in images:
            data = reader.read(image)
            spans[_key(image)] = (len(content), len(content) + len(data))
            content += data
        return cls(np.frombuffer(content, np.uint8), spans)


class ShippedReader:
    """Reads from a shipment."""

    def __init__(self, shipment: Shipment) -> None:
        self._content = memoryview(shipment.content)
        self._spans = shipment.spans

    def read(self, image: Image) -> bytes:
        start, end = self._spans[_key(image)]
        return bytes(self._content[start:end])

    def close(self) -> None:
        """Nothing is open."""


def _key(image: Image) -> _Key:
    return image.path, image.offset
