"""How the bytes of an image come into a worker."""

from __future__ import annotations

from typing import Protocol

from runner.pipeline.sources.image import Image


class Reader(Protocol):
    """Made once in every worker process by the source, then used by all its threads at the same time."""

    def read(self, image: Image) -> bytes:
        """The bytes of ``image``.

        Raises:
            OSError: they cannot be had.
        """

    def close(self) -> None:
        """Let go of whatever is open."""


class FileReader:
    """Reads local files."""

    def read(self, image: Image) -> bytes:
        with open(image.path, "rb", buffering=0) as file:  # noqa: PTH123  (called for every image: the shortest way)
            return file.read()

    def close(self) -> None:
        """Nothing is open."""
