"""What comes from outside, such as a record from somebody else: its paths, its files, its texts."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePath

from runner.errors import RunnerError

# Characters that a terminal or a log would obey: controls, marks that turn the direction of writing, ends of lines of Unicode's own.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_ENDS = re.compile(r"[\n\t]")


def printable(text: str) -> str:
    """``text`` without the characters that a terminal would obey, such as those of escape codes; ends of lines and tabs stay."""
    return _OBEYED.sub("", text)


def in_one_line(text: str) -> str:
    r"""``text`` as it can stand in a line of a log or a name: what would be obeyed is spelled out, as ``\n`` or ``\x1b``."""
    return _ENDS.sub(_spelled, _OBEYED.sub(_spelled, text))


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def within(folder: Path, name: str) -> Path:
    """The path that ``name`` stands for in ``folder``, where it says no other place and no part of it is a link.

    Raises:
        RunnerError: it would be elsewhere.
    """
    relative = PurePath(name)
    if not relative.parts or relative.anchor or ".." in relative.parts or "\0" in name:
        raise RunnerError(
            f"{folder}: {name!r:.200} is no place in it, and what a record names is looked for in its own folder only"
        )
    path = folder
    for part in relative.parts:
        path /= part
        if _is_link(path):
            raise RunnerError(f"{path}: is a link, and none is followed in a folder with a record")
    return path


def plain_file(folder: Path, name: str) -> Path | None:
    """The regular file that ``name`` stands for in ``folder``; None where there is none, or it is elsewhere by a link."""
    try:
        path = within(folder, name)
        return path if stat.S_ISREG(path.lstat().st_mode) else None
    except (RunnerError, OSError):
        return None


def bytes_of(path: Path, at_most: int) -> bytes:
    """The content of a regular file; a link is not followed, and a pipe, which could be waited for without end, is not read.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: it is no regular file, or has more than ``at_most`` bytes.
    """
    if _is_link(path):
        raise ValueError("it is a link, and none is followed")
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:  # noqa: PTH123  (a descriptor)
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise ValueError("it is no regular file")
        content = file.read(about.st_size + 1) if about.st_size <= at_most else b""  # no more room than it takes is asked for
        if about.st_size > at_most or len(content) > at_most:
            raise ValueError(f"it has more than {at_most // 1_000_000} MB")
        return content


def refuse_links(folder: Path) -> None:
    """Refuse a folder, which is to be written to, that has a link or anything else than files and folders in it or below.

    Raises:
        RunnerError: there is such a thing; the first is named.
    """
    for at, folders, files in os.walk(folder, onerror=_raise):
        for name in (*folders, *files):
            path = Path(at, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                what = "a link" if stat.S_ISLNK(mode) else "neither a file nor a folder"
                raise RunnerError(
                    f"{path}: is {what}, and what is written below {folder} could end up elsewhere; remove it first"
                )


def _raise(error: OSError) -> None:
    raise RunnerError(f"{error.filename}: {error.strerror}") from error


def _is_link(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError) as error:
        raise RunnerError(f"{str(path)!r:.200}: {getattr(error, 'strerror', None) or error}") from error
    return stat.S_ISLNK(mode)
