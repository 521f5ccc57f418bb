"""``source=folder``: all images in a folder and below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from runner.config.options import Folder
from runner.errors import ConfigurationError
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, checked_folder, inspected

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


class FolderSource(LocalSource):
    """A path and a pattern."""

    def __init__(self, config: Folder) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The first ``limit`` images by path relative to the folder, parts compared one by one: the same order everywhere."""
        root = checked_folder("source.path", Path(self._config.path).expanduser())
        paths = sorted(self._matching(root), key=lambda path: path.relative_to(root).parts)
        if not paths:
            pattern = self._config.pattern
            raise ConfigurationError(
                "source.path",
                self._config.path,
                f"has no image in it or below it that matches source.pattern={pattern}",
                f"a folder with files ending in {', '.join(SUFFIXES)}",
            )
        return inspected("source.path", paths, limit)

    def _matching(self, root: Path) -> Iterator[Path]:
        for folder, _, names in os.walk(root, onerror=_refuse):
            for name in names:
                path = Path(folder, name)
                # A pipe or a link to nowhere is no file, whatever its name.
                if name.lower().endswith(SUFFIXES) and fnmatch(name, self._config.pattern) and path.is_file():
                    yield path


def _refuse(error: OSError) -> None:
    """A subfolder that cannot be listed is not passed over: the images would be others, without a word."""
    raise ConfigurationError(
        "source.path", error.filename, f"cannot be searched: {error.strerror}", "a folder that can be read with all below it"
    ) from error


PROVIDES = FolderSource
