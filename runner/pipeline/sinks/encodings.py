"""A result as the content of a file, or as a record of one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from runner.errors import SinkError
from runner.pipeline.arrays import array_bytes
from runner.pipeline.wire import Span, as_field, as_varint, fields, varint


def as_npy(array: Any) -> bytes:
    """The content of a ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def as_png(array: Any) -> bytes:
    """The content of a ``.png`` file with 8 bits a channel; the array has shape ``(height, width)``, or with 1, 3 or 4 channels.

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

    Written by hand, so that the data are copied once, and so that it can be read back without TensorFlow.
    """
    # Example.features.feature is a map: entries of a key (1) and a value (2); Feature has bytes_list (1) or int64_list (3).
    features = [
        _feature(b"item", 3, as_varint(item)),
        _feature(b"dtype", 1, array.dtype.str.encode()),
        _feature(b"shape", 3, b"".join(map(as_varint, array.shape))),
        _feature(b"data", 1, array_bytes(array)),
    ]
    return b"".join(as_field(1, *(part for feature in features for part in feature)))


def item_of_example(example: memoryview) -> int:
    """The item's number in what ``as_example`` made, where it is the first feature.

    Raises:
        ValueError: it was not made by ``as_example``.
    """
    try:
        features = _first(example, (0, len(example)), 1)
        entry = _first(example, features, 1)
        if bytes(example[slice(*_first(example, entry, 1))]) != b"item":
            raise ValueError("the first feature is not the item's number")
        start, end = _first(example, _first(example, _first(example, entry, 2), 3), 1)
    except StopIteration:
        raise ValueError("it has no feature with the item's number") from None
    return varint(example, start, end)[0]


def _feature(name: bytes, kind: int, value: bytes | memoryview) -> list[bytes | memoryview]:
    return as_field(1, *as_field(1, name), *as_field(2, *as_field(kind, *as_field(1, value))))


def _first(message: memoryview, within: Span, number: int) -> Span:
    return next(fields(message, *within, number))[1]
