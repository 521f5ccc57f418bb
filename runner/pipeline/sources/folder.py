"""``source=folder``: all images in a folder and below it."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from runner.config.options import Folder
from runner.errors import ConfigurationError
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.local import LocalSource, checked_folder, inspected, user_path

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp")

# How many endings of other files a message names.
_ENDINGS = 5


class FolderSource(LocalSource):
    """A path and a pattern."""

    def __init__(self, config: Folder) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The first ``limit`` images by path relative to the folder, parts compared one by one: the same order everywhere."""
        root = checked_folder("source.path", user_path(self._config.path))
        search = _Search(self._config)
        paths = sorted(search.paths(root), key=lambda path: path.relative_to(root).parts)
        if not paths:
            pattern = self._config.pattern
            raise ConfigurationError(
                "source.path",
                self._config.path,
                f"has no image in it or below it that matches source.pattern={pattern}{search.seen()}",
                f"a folder with files ending in {', '.join(SUFFIXES)}, or a source.pattern with another ending, such as '*.tiff'",
            )
        return inspected("source.path", paths, limit)

    def count(self) -> int:
        """How many images there are in the folder and below it."""
        return sum(1 for _ in _Search(self._config).paths(checked_folder("source.path", user_path(self._config.path))))


class _Search:
    """One walk through a folder, which remembers why what it saw does not count."""

    def __init__(self, config: Folder) -> None:
        self._pattern = config.pattern.lower()
        # A pattern that names an ending decides by itself.
        self._suffixes = ("",) if Path(self._pattern).suffix.strip(".*?[]") else SUFFIXES
        self._follow_links = config.follow_links
        self._others: Counter[str] = Counter()
        self._links = 0

    def paths(self, root: Path) -> Iterator[Path]:
        """The images. Each folder is searched once, however many links lead to it; what is reached without a link comes first."""
        found = {root.resolve()}
        waiting, linked = deque([root]), deque[Path]()
        while waiting or linked:
            folder = (waiting or linked).popleft()
            if (real := folder.resolve()) in found and folder != root:
                continue
            found.add(real)
            for entry in sorted(_entries(folder), key=lambda entry: entry.name):
                if not entry.is_dir():
                    yield from self._counted(entry)
                elif not entry.is_symlink():
                    waiting.append(Path(entry.path))
                elif self._follow_links:
                    linked.append(Path(entry.path))
                else:
                    self._links += 1

    def seen(self) -> str:
        """What was seen instead of images, to go on after a sentence."""
        endings = [f"{count} {ending or 'without an ending'}" for ending, count in self._others.most_common(_ENDINGS)]
        seen = [f"other files: {', '.join(endings)}"] if endings else []
        if self._links:
            seen.append(f"{self._links} linked folders, which source.follow_links=true would search")
        return f"; it has {' and '.join(seen)}" if seen else ""

    def _counted(self, entry: os.DirEntry[str]) -> Iterator[Path]:
        name = entry.name.lower()
        # A pipe or a link to nowhere is no file, whatever its name.
        if not entry.is_file():
            return
        if name.endswith(self._suffixes) and fnmatchcase(name, self._pattern):
            yield Path(entry.path)
        else:
            self._others[Path(name).suffix] += 1


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder. One that cannot be listed is not passed over: the images would be others, without a word."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        reason = f"cannot be searched: {error.strerror}"
        raise ConfigurationError(
            "source.path", error.filename, reason, "a folder that can be read with all below it"
        ) from error


PROVIDES = FolderSource
