"""``source=file``: one image file."""

from __future__ import annotations

from pathlib import Path

from runner.config.options import File
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, checked_file, inspected


class FileSource(LocalSource):
    """One path."""

    def __init__(self, config: File) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The one image, whatever the limit."""
        path = checked_file("source.path", Path(self._config.path).expanduser())
        return inspected("source.path", [path], limit)


PROVIDES = FileSource
