"""Whatever bytes a TFRecord file, or its index, has: the images that it holds, or a refusal in words."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example as for_example
from hypothesis import given
from hypothesis import strategies as st
from support.examples import example, tfrecord
from support.mutations import anything_or

from runner.config.options import Tfrecord
from runner.errors import ConfigurationError
from runner.pipeline.sinks.encodings import as_example, item_of_example
from runner.pipeline.sources import Image
from runner.pipeline.sources.tfrecord import TfrecordSource
from runner.pipeline.wire import WireError, as_field, as_varint, fields, records, varint

GOOD_EXAMPLES = [example(b"an image"), example(b"x" * 300, b"other") + example(b"an image"), as_example(np.zeros((2, 3)), 300)]
GOOD_FILES = [b"".join(map(tfrecord, GOOD_EXAMPLES[:1] * count)) for count in (1, 3)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


_number = itertools.count()


def listed(folder: Path, content: bytes) -> tuple[Image, ...]:
    """The images of a file that no index knows."""
    path = folder / f"{next(_number)}.tfrecord"
    path.write_bytes(content)
    return TfrecordSource(Tfrecord(path=str(path))).images(99)


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_records_are_read_back_as_they_were_written(contents: list[bytes]) -> None:
    data = b"".join(map(tfrecord, contents))
    assert [data[start:end] for start, end in records(data)] == contents


@given(anything_or(*GOOD_FILES))
def test_any_bytes_are_records_within_them_one_after_the_other_or_a_typed_error(data: bytes) -> None:
    at = 0
    try:
        for start, end in records(data):
            assert at + 12 == start <= end <= len(data) - 4
            at = end + 4
    except WireError:
        return
    assert at == len(data)


@given(anything_or(*GOOD_EXAMPLES), st.one_of(st.none(), st.integers(0, 3)))
def test_any_bytes_are_fields_within_them_or_a_typed_error(message: bytes, wanted: int | None) -> None:
    try:
        spans = list(fields(message, 0, len(message), wanted))
    except WireError:
        return
    assert all(0 < start <= end <= len(message) and wanted in {None, number} for number, (start, end) in spans)


@given(st.integers(0, 2**63 - 1), st.binary(max_size=4))
def test_a_number_is_read_back_as_it_was_written(value: int, rest: bytes) -> None:
    written = as_varint(value)
    assert varint(written + rest, 0, len(written + rest)) == (value, len(written))


@given(st.binary(max_size=20))
@for_example(b"\xff" * 12 + b"\x01")
def test_any_bytes_begin_with_a_number_or_are_a_typed_error(data: bytes) -> None:
    try:
        value, end = varint(data, 0, len(data))
    except WireError:
        return
    assert 0 <= value < 2**70
    assert 0 < end <= len(data)


@given(st.lists(st.tuples(st.integers(1, 15), st.binary(max_size=200)), max_size=5))
def test_fields_are_read_back_as_they_were_written(content: list[tuple[int, bytes]]) -> None:
    message = b"".join(itertools.chain.from_iterable(as_field(number, data) for number, data in content))
    assert [(number, message[slice(*span)]) for number, span in fields(message, 0, len(message))] == content


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
@for_example([b"x" * (376 - len(example(b"x" * 300)) + 300)])
def test_the_images_of_a_file_are_those_that_were_written(folder: Path, contents: list[bytes]) -> None:
    images = listed(folder, b"".join(tfrecord(example(content)) for content in contents))
    assert [image.length for image in images] == [len(content) for content in contents]
    for image, content in zip(images, contents, strict=True):
        assert image.differs_here() is None
        with Path(image.path).open("rb") as file:
            file.seek(image.offset or 0)
            assert file.read(len(content)) == content


@given(anything_or(*GOOD_FILES))
@for_example(tfrecord(example(b"", b"\xff" * 100_000)))
def test_any_file_has_images_within_it_or_is_refused_in_words(folder: Path, content: bytes) -> None:
    try:
        images = listed(folder, content)
    except ConfigurationError as error:
        refusal = error
    else:
        assert all(0 <= (image.offset or 0) <= (image.offset or 0) + (image.length or 0) <= len(content) for image in images)
        return
    assert refusal.key in {"source.path", "source.feature"}
    assert len(str(refusal)) < 2000


@given(anything_or(*GOOD_EXAMPLES).map(tfrecord))
def test_any_record_has_an_image_within_it_or_is_refused_in_words(folder: Path, content: bytes) -> None:
    """As the test before, but with a frame that holds, so that more of them get to the record's own content."""
    try:
        images = listed(folder, content)
    except ConfigurationError:
        return
    assert [(image.length or 0) <= len(content) for image in images] == [True]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=5)),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3), st.dictionaries(st.sampled_from(["state", "spans", "x"]), inside, max_size=3)
    ),
    max_leaves=6,
)


@given(st.one_of(st.binary(), JSON.map(lambda content: json.dumps(content).encode())))
@for_example(b"[" * 100_000)
def test_an_index_that_is_something_else_is_made_again(folder: Path, content: bytes) -> None:
    check_index(folder, content)


@given(JSON)
def test_an_index_that_names_places_that_there_are_not_is_made_again(folder: Path, spans: Any) -> None:
    check_index(folder, None, spans)


def check_index(folder: Path, content: bytes | None, spans: Any = None) -> None:
    """The images of a file are right although its index is ``content``, or has these spans."""
    path = folder / "indexed.tfrecord"
    if not path.exists():
        path.write_bytes(GOOD_FILES[1])
    source = TfrecordSource(Tfrecord(path=str(path)))
    images = source.images(99)
    (index,) = Path("outputs/cache/tfrecord").glob("*.json")
    index.write_bytes(content if content is not None else json.dumps(json.loads(index.read_text()) | {"spans": spans}).encode())
    assert source.images(99) == images


@given(st.integers(0, 2**40), st.lists(st.integers(0, 4), max_size=3))
def test_a_results_item_is_read_back_from_its_record(item: int, shape: list[int]) -> None:
    assert item_of_example(memoryview(as_example(np.zeros(shape), item))) == item


@given(anything_or(*GOOD_EXAMPLES))
def test_any_bytes_are_a_result_with_an_item_or_a_value_error(content: bytes) -> None:
    try:
        item = item_of_example(memoryview(content))
    except ValueError:
        return
    assert item >= 0
