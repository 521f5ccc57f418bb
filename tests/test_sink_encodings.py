"""How results are written: PNG, TFRecord."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import pytest

from runner.errors import SinkError
from runner.pipeline.sinks.encodings import as_example, as_png, item_of_example
from runner.pipeline.wire import WireError, masked_crc32c, records


def test_floats_become_8_bits_between_the_least_and_the_greatest_value() -> None:
    image = np.array([[-1.0, 0.0], [0.5, 3.0]], np.float32)
    read = np.asarray(PIL.Image.open(io.BytesIO(as_png(image))))
    assert read.tolist() == [[0, 64], [96, 255]]
    assert np.asarray(PIL.Image.open(io.BytesIO(as_png(np.full((2, 2, 3), 7.0))))).max() == 0


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bytes_are_written_to_a_png_as_they_are(channels: int) -> None:
    image = np.random.default_rng(0).integers(3, 200, (5, 7, channels)).astype(np.uint8)
    read = np.asarray(PIL.Image.open(io.BytesIO(as_png(image)))).reshape(image.shape)
    assert np.array_equal(read, image)


@pytest.mark.parametrize(
    ("array", "says"),
    [
        (np.zeros((4, 4, 2)), r"1, 3 or 4 channels, this result has the shape \(4, 4, 2\)"),
        (np.zeros(16), r"1, 3 or 4 channels, this result has the shape \(16,\)"),
        (np.zeros((0, 4, 3)), "has the shape"),
        (np.array([[1.0, np.nan]]), "finite"),
    ],
)
def test_what_is_no_image_is_refused_by_png(array: Any, says: str) -> None:
    with pytest.raises(SinkError, match=says):
        as_png(array)


@pytest.mark.parametrize("item", [0, 1, 127, 128, 300, 10**9])
def test_an_items_number_is_read_back_from_an_example(item: int) -> None:
    assert item_of_example(memoryview(as_example(np.ones((3, 2)), item))) == item


def test_an_example_without_the_number_of_an_item_is_refused() -> None:
    for odd in (b"", as_example(np.ones(2), 7).replace(b"item", b"mist"), b"\xff\xff"):
        with pytest.raises(ValueError, match=r"item's number|beyond its message"):
            item_of_example(memoryview(odd))


def test_a_file_that_ends_in_the_middle_of_a_record_is_told() -> None:
    length = (5).to_bytes(8, "little")
    whole = (length + masked_crc32c(length).to_bytes(4, "little") + b"hello" + bytes(4)) * 2
    assert [whole[start:end] for start, end in records(whole)] == [b"hello", b"hello"]
    for cut in (1, 6, 20):
        with pytest.raises(WireError):
            list(records(whole[:-cut]))
