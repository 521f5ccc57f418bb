"""What a source lists and reads, in this process or, since it is light to import, in a fresh one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from runner.config.options import SourceOption
from runner.pipeline.sources import Image, Reader


def listed(option: SourceOption, limit: int = 99) -> Sequence[Image]:
    """What the source lists now; ``runner.pipeline.sources.images_of`` remembers."""
    images: Sequence[Image] = option.provided()(option).images(limit)
    return images


def reader_of(option: SourceOption) -> Reader:
    reader: Reader = option.provided()(option).reader()
    return reader


def digests_read(option: SourceOption, images: Sequence[Image]) -> list[str]:
    """The digests of the images' bytes as a reader has them."""
    reader = reader_of(option)
    try:
        return [hashlib.sha256(reader.read(image)).hexdigest() for image in images]
    finally:
        reader.close()


def listed_and_read(option: SourceOption) -> tuple[Sequence[Image], list[str]]:
    images = listed(option)
    return images, digests_read(option, images)
