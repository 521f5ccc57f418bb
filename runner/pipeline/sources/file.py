"""``source=file``: one image file."""

from __future__ import annotations

from runner.config.options import File
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, checked_file, inspected, user_path


class FileSource(LocalSource):
    """One path."""

    def __init__(self, config: File) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The one image, whatever the limit."""
        path = checked_file("source.path", user_path(self._config.path))
        return inspected("source.path", [path], limit)


PROVIDES = FileSource
