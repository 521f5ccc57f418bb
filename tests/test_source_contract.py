"""Every source that is registered answers the same questions: a new one is asked them as soon as it is there."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from support.composing import composed
from support.examples import Example, examples
from support.fresh_process import in_fresh_process
from support.reading import digests_read, listed, listed_and_read, reader_of

from runner.config.options import SourceOption
from runner.config.plain import plain
from runner.config.restore import choices_of
from runner.pipeline.sources import AsyncReader

SOURCES = examples("source")
THREADS = 8


@pytest.fixture
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SourceOption]:
    example: Example = request.param
    with ExitStack() as stack:
        yield cast("SourceOption", example.option(tmp_path, stack))


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_it_composes_from_its_choices_and_its_check_accepts_it(source: SourceOption) -> None:
    assert composed(*choices_of({"source": plain(source)})).source == source


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_it_lists_different_images_with_sizes_and_digests_up_to_the_limit(source: SourceOption) -> None:
    images = listed(source)
    assert images
    assert len({(image.path, image.offset) for image in images}) == len({image.digest for image in images}) == len(images)
    for image in images:
        assert min(image.width, image.height) > 0
        assert image.format != "other"
        assert image.refused is None
        assert image.in_file or not source.reads_files
    for limit in range(1, len(images) + 1):
        assert listed(source, limit) == images[:limit]


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_it_lists_the_same_images_each_time_also_where_nothing_is_kept_of_before(
    source: SourceOption, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = listed(source)
    assert listed(source) == images
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [image.digest for image in listed(source)] == [image.digest for image in images]


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_its_reader_reads_the_bytes_of_the_digest_from_many_threads_at_the_same_time(source: SourceOption) -> None:
    images = listed(source)
    reader = reader_of(source)
    try:
        with ThreadPoolExecutor(THREADS) as threads:
            read = list(threads.map(reader.read, [*images] * THREADS))
    finally:
        reader.close()
    assert [hashlib.sha256(data).hexdigest() for data in read] == [image.digest for image in images] * THREADS


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_a_process_that_is_spawned_reads_the_same_and_imports_no_tensorflow(source: SourceOption) -> None:
    images = listed(source)
    assert in_fresh_process(listed_and_read, source) == (images, [image.digest for image in images])


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_its_reader_may_be_closed_twice_whether_or_not_it_has_read_anything(source: SourceOption) -> None:
    images = listed(source)
    for count in (0, len(images)):
        reader = reader_of(source)
        for image in images[:count]:
            reader.read(image)
        reader.close()
        reader.close()
    assert digests_read(source, images) == [image.digest for image in images]


@pytest.mark.parametrize("source", SOURCES, indirect=True)
def test_a_reader_for_event_loops_reads_the_same_there(source: SourceOption) -> None:
    images, reader = listed(source), reader_of(source)
    if not isinstance(reader, AsyncReader):
        reader.close()
        pytest.skip("it has none")

    async def read(reader: AsyncReader) -> list[Any]:
        try:
            return await asyncio.gather(*map(reader.read_async, images))
        finally:
            await reader.close_async()

    assert [hashlib.sha256(data).hexdigest() for data in asyncio.run(read(reader))] == [image.digest for image in images]
    reader.close()
