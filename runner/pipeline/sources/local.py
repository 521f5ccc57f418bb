"""What sources of local files share: each path is checked, then inspected, with the configuration key in every message."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from runner.errors import ConfigurationError
from runner.pipeline.sources.image import Image, inspect


class FileReader:
    """Reads local files."""

    def read(self, image: Image) -> bytes:
        with open(image.path, "rb", buffering=0) as file:  # noqa: PTH123  (called for every image: the shortest way)
            return file.read()

    def close(self) -> None:
        """Nothing is open."""


class LocalSource:
    """A source whose images are files of this machine."""

    def reader(self) -> FileReader:
        """What reads them, in a worker."""
        return FileReader()


def user_path(text: str) -> Path:
    """A path as the user wrote it, with ``~`` for the home of a user whose home is known."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  (pathlib's raises where there is no home)


def checked_file(key: str, path: Path, accepted: str = "the path of a readable image file") -> Path:
    """``path`` if it is a file that may be read; otherwise a message that names ``key``."""
    if not path.exists():
        raise ConfigurationError(key, path, "does not exist", accepted)
    if not path.is_file():
        raise ConfigurationError(key, path, "is not a file" if not path.is_dir() else "is a folder", accepted)
    if not os.access(path, os.R_OK):
        raise ConfigurationError(key, path, "is not readable", accepted)
    return path


def checked_folder(key: str, path: Path) -> Path:
    """``path`` if it is a folder that may be listed; otherwise a message that names ``key``."""
    accepted = "the path of a readable folder with images in it"
    if not path.exists():
        raise ConfigurationError(key, path, "does not exist", accepted)
    if not path.is_dir():
        raise ConfigurationError(key, path, "is not a folder", accepted)
    if not os.access(path, os.R_OK | os.X_OK):
        raise ConfigurationError(key, path, "is not readable", accepted)
    return path


def inspected(key: str, paths: Iterable[Path], limit: int) -> tuple[Image, ...]:
    """The first ``limit`` of ``paths``, inspected in their order."""
    images = []
    for path in islice(paths, limit):
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            raise ConfigurationError(key, shown, "has a name that is not UTF-8", "files with names in UTF-8") from error
        try:
            images.append(inspect(path))
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            raise ConfigurationError(key, path, reason, "the path of a readable image file") from error
    return tuple(images)
