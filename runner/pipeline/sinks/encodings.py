"""A result as the content of a file, or as a record of one."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from runner.errors import SinkError


def as_npy(array: Any) -> bytes:
    """The content of a ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def as_png(array: Any) -> bytes:
    """The content of a ``.png`` file: 8 bits a channel; shape ``(height, width)``, or with 1, 3 or 4 channels.

    uint8 is written as it is. Of anything else the least value of the image becomes 0, the greatest 255, and what lies between
    them is spread evenly; where all values are equal they become 0.

    Raises:
        SinkError: the result is no such image.
    """
    import PIL.Image

    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {3, 4}) or not array.size:
        raise SinkError(f"a PNG takes an image of 1, 3 or 4 channels, this result has the shape {array.shape}")
    if array.dtype != np.uint8:
        values = array.astype(np.float64)
        least, greatest = values.min(), values.max()
        if not np.isfinite(greatest - least):
            raise SinkError("a PNG takes finite values, and not all of this result are")
        values = (values - least) * (255 / (greatest - least)) if greatest > least else np.zeros_like(values)
        array = np.rint(values).astype(np.uint8)
    file = io.BytesIO()
    PIL.Image.fromarray(np.ascontiguousarray(array)).save(file, "PNG")
    return file.getvalue()


def as_example(array: Any, item: int) -> bytes:
    """A serialized ``tf.train.Example`` with the features ``item``, ``dtype`` (as NumPy writes it: ``<f4``), ``shape``, ``data``.

    Written by hand, so that the data are copied once, and so that it can be read back without TensorFlow. A message is a row of
    fields, each with a tag (its number, and 2 for "its length comes first") and its content
    (https://protobuf.dev/programming-guides/encoding).
    """
    # Example.features.feature is a map: entries of a key (1) and a value (2); Feature has bytes_list (1) or int64_list (3).
    features = [
        _feature(b"item", 3, _varint(item)),
        _feature(b"dtype", 1, array.dtype.str.encode()),
        _feature(b"shape", 3, b"".join(map(_varint, array.shape))),
        _feature(b"data", 1, np.ascontiguousarray(array).reshape(-1).view(np.uint8).data),
    ]
    return b"".join(_field(1, *(part for feature in features for part in feature)))


def item_of_example(example: memoryview) -> int:
    """The item's number in what ``as_example`` made; its place there is always the same.

    Raises:
        ValueError: it was not made by ``as_example``.
    """
    features, _ = _content(example, 0)
    entry, _ = _content(features, 0)
    key, end = _content(entry, 0)
    if bytes(key) != b"item":
        raise ValueError("the first feature is not the item's number")
    value = _content(_content(_content(entry, end)[0], 0)[0], 0)[0]
    return _read_varint(value, 0)[0]


def records_of(content: memoryview) -> Iterator[memoryview]:
    """The records of a TFRecord file: length (8 bytes), its checksum (4), the data, its checksum (4).

    Raises:
        ValueError: it ends in the middle of one.
    """
    at = 0
    while at < len(content):
        if at + 12 > len(content):
            raise ValueError("the file ends in the middle of a record")
        (length,) = struct.unpack_from("<Q", content, at)
        if at + 16 + length > len(content):
            raise ValueError("the file ends in the middle of a record")
        yield content[at + 12 : at + 12 + length]
        at += 16 + length


def _feature(name: bytes, kind: int, value: bytes | memoryview) -> list[bytes | memoryview]:
    return _field(1, *_field(1, name), *_field(2, *_field(kind, *_field(1, value))))


def _field(number: int, *content: bytes | memoryview) -> list[bytes | memoryview]:
    """A field, in parts that are put together only once."""
    return [bytes([number << 3 | 2]), _varint(sum(map(len, content))), *content]


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth bit set."""
    written = bytearray()
    while value > 127:
        written.append(value & 127 | 128)
        value >>= 7
    written.append(value)
    return bytes(written)


def _content(message: memoryview, at: int) -> tuple[memoryview, int]:
    """The content of the field that begins at ``at``, and where the next begins."""
    length, begin = _read_varint(message, at + 1)
    return message[begin : begin + length], begin + length


def _read_varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
