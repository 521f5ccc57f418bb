"""``task=opencv``: the steps in OpenCV, on pictures of 8 bits a channel, the last of them in NumPy.

OpenCV has threads of its own; it gets as many as one op of TensorFlow would, ``tf.intra_op``, before the task is built.
"""

from __future__ import annotations

import re
import zlib
from typing import Any

import cv2
import numpy as np

from runner.errors import ImageError
from runner.pipeline.tasks.chances import Box
from runner.pipeline.tasks.steps import StepsTask

# The other decoders leave a picture as it lies in the file, whatever its Exif orientation says.
_FLAGS = {
    1: cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION,
    3: cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION,
}

_JPEG, _END_OF_IMAGE = b"\xff\xd8", b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n"

# A marker of a JPEG: none of those that stand for a byte within a scan, or begin again after an error.
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7\x01])")


class OpencvTask(StepsTask):
    """A picture is an array all along."""

    def decoded(self, data: bytes) -> Any:
        if data.startswith(_JPEG) and _is_cut_off(data):
            raise ImageError("a JPEG that is cut off, of which OpenCV would make a picture with a grey rest")
        if data.startswith(_PNG) and _is_damaged_animation(data):
            raise ImageError("an animated PNG that is damaged, of which OpenCV would make another picture each time")
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS[self.config.channels])
        if picture is None:
            raise ImageError("OpenCV finds no picture in it")
        return self.as_array(picture)

    def as_array(self, picture: Any) -> Any:
        return picture if picture.ndim == 3 else picture[:, :, np.newaxis]

    def size_of(self, picture: Any) -> tuple[int, int]:
        return picture.shape[1], picture.shape[0]

    def resized(self, picture: Any, size: int) -> Any:
        return self.as_array(cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR))

    def flipped(self, picture: Any) -> Any:
        return self.as_array(cv2.flip(picture, 1))

    def cropped(self, picture: Any, box: Box) -> Any:
        return picture[box.top : box.bottom, box.left : box.right]

    def coloured(self, picture: Any, brightness: float, contrast: float, saturation: float) -> Any:
        picture = cv2.convertScaleAbs(picture, alpha=brightness)
        mean = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).mean()
        picture = cv2.addWeighted(picture, contrast, picture, 0, (1 - contrast) * mean)
        luma = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(picture, saturation, luma, 1 - saturation, 0)


def _is_cut_off(data: bytes) -> bool:
    """Whether the first picture of a JPEG has no end; what may follow, such as a film or a second picture, does not matter."""
    if data.endswith(_END_OF_IMAGE):
        return False  # nearly always; looking through all of it takes milliseconds a megabyte
    at = len(_JPEG)
    while (marker := _MARKER.search(data, at)) is not None:
        if marker[1] == _END_OF_IMAGE[1:]:
            return False
        at = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return True


def _is_damaged_animation(data: bytes) -> bool:
    """Whether a PNG with several frames has a chunk that is cut off or does not agree with its checksum; OpenCV makes a picture of it, each time another."""
    at, animated = len(_PNG), False
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 8 + length
        if kind == b"IDAT" and not animated:
            return False
        animated |= kind == b"acTL"
        if int.from_bytes(data[end : end + 4], "big") != zlib.crc32(data[at + 4 : end]):
            return animated
        if kind == b"IEND":
            return False
        at = end + 4
    return animated


PROVIDES = OpencvTask
