"""The images of a source in one piece of memory, for workers that cannot reach the source."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from runner.errors import TrialFailed
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources.image import Image

# Which bytes of which file: the images in one file all have its path.
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


def shipment_of(pipeline: PipelinePlan) -> Shipment:
    """Read every image of a pipeline once.

    Raises:
        TrialFailed: an image cannot be read.
    """
    import numpy as np

    content, spans = bytearray(), {}
    reader = import_module(pipeline.source_module).PROVIDES(pipeline.source).reader()
    try:
        for image in pipeline.images:
            data = reader.read(image)
            spans[_key(image)] = (len(content), len(content) + len(data))
            content += data
    except OSError as error:
        raise TrialFailed(f"mode.ship_source: an image cannot be read: {error}", kind=type(error).__name__) from error
    finally:
        reader.close()
    return Shipment(np.frombuffer(content, np.uint8), spans)


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
