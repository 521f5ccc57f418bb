"""Where image bytes come from: a source lists images, in the conductor, and makes the reader of their bytes, in each worker."""

from __future__ import annotations

import json
from typing import Any, Protocol, runtime_checkable

from runner.config.options import SourceOption
from runner.config.plain import plain
from runner.pipeline.sources.image import Image, limited

__all__ = ["AsyncReader", "Image", "ImportsDrivers", "Reader", "Source", "SourceFactory", "images_of"]


class Reader(Protocol):
    """Made once in every worker process by the source, then used by all its threads at the same time."""

    def read(self, image: Image) -> bytes:
        """The bytes of ``image``.

        Raises:
            OSError, ImageError: they cannot be had.
        """

    def close(self) -> None:
        """Let go of whatever is open; may be called again."""


@runtime_checkable
class AsyncReader(Reader, Protocol):
    """A reader that can also read in an event loop, without holding it up."""

    async def read_async(self, image: Image) -> bytes:
        """As ``read``; always in the same loop."""

    async def close_async(self) -> None:
        """Let go of what was opened in that loop; before ``close``."""


class Source(Protocol):
    """Images, and the way to their bytes."""

    def images(self, limit: int) -> tuple[Image, ...]:
        """The first ``limit`` different images, each inspected for its header and its digest.

        Raises:
            ConfigurationError: there is no image, or one cannot be had.
        """

    def reader(self) -> Reader:
        """What reads them, in a worker; started after workers are forked, so it may have threads."""


@runtime_checkable
class ImportsDrivers(Protocol):
    """A source whose option says which packages it needs."""

    def import_drivers(self) -> None:
        """Import them, and start nothing."""


class SourceFactory(Protocol):
    """What a source's file provides as ``PROVIDES``."""

    def __call__(self, config: Any) -> Source:
        """The source with this option."""


def images_of(source: SourceOption, limit: int) -> tuple[Image, ...]:
    """The first ``limit`` different images of a source, inspected once however many points ask.

    Raises:
        ConfigurationError: the source has no image to give.
    """
    key = (json.dumps(plain(source), sort_keys=True), limit)
    if key not in _inspected:
        images = source.provided()(source).images(limit)
        _inspected[key] = tuple(limited(image, source.max_megapixels) for image in images)
    return _inspected[key]


_inspected: dict[tuple[str, int], tuple[Image, ...]] = {}
