"""Every change that this program makes to its records: durable, in one step, and seen by a hook with which tests let any step fail.

A file is written beside its place, brought to the disk and moved into place; then its folder is brought to the disk, as PostgreSQL's
``durable_rename`` does. So a reader sees the old content or the new one, also after a crash of the system.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from runner.errors import StorageError

# Called before each step with its name and the path that it changes.
Hook = Callable[[str, Path], None]
_hook: Hook | None = None

# The temporary file for records of images that do not fit into a trial's memory, in the folder of its point.
SPOOL = ".records"

# What ``tempfile`` makes of a prefix that is a dot, a name and a dot.
_HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}")


def set_hook(hook: Hook | None) -> None:
    """Have ``hook`` called before every step in this process, and in the trials that it starts; None ends that."""
    global _hook  # noqa: PLW0603
    _hook = hook


def current_hook() -> Hook | None:
    """The hook of this process, for a process that it starts."""
    return _hook


def write_atomically(path: Path, write: Callable[[IO[str]], None]) -> None:
    """Call ``write`` with a text file and put what it wrote at ``path`` in one step: readers see all of it or nothing.

    Raises:
        StorageError: it cannot be written. What was there before is there still.
    """

    def write_text(file: IO[Any]) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        write(text)
        text.detach()  # which flushes, and leaves the file open

    write_bytes_atomically(path, write_text)


def write_bytes_atomically(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """The same with a binary file."""
    with _storage_errors(path):
        _step("create", path)
        handle, half_written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                _step("write", path)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes private files; results are as readable as anything else the user writes.
            mask = os.umask(0)
            os.umask(mask)
            Path(half_written).chmod(0o666 & ~mask)
            move(Path(half_written), path)
        except BaseException:
            Path(half_written).unlink(missing_ok=True)
            raise


def move(source: Path, target: Path) -> None:
    """Move a file or a folder, whose content is on the disk, in one step; a file that is at ``target`` is replaced.

    Raises:
        StorageError: that is not possible.
    """
    with _storage_errors(target):
        _step("move", target)
        source.replace(target)
        _step("sync", target)
        _sync_folder(target.parent)
        if source.parent != target.parent:
            _sync_folder(source.parent)


def remove(path: Path) -> None:
    """Remove a file, if there is one.

    Raises:
        StorageError: that is not possible.
    """
    if not os.path.lexists(path):
        return
    with _storage_errors(path):
        _step("remove", path)
        path.unlink(missing_ok=True)
        _sync_folder(path.parent)


def spool_files(spool: Path) -> list[Path]:
    """The files that a trial writes while it runs: ``spool``, and those beside it whose names go on from its name with a dot."""
    return [spool, *spool.parent.glob(f"{spool.name}.*")]


def remove_spool(spool: Path) -> None:
    """Remove what a trial wrote while it ran.

    Raises:
        StorageError: that is not possible.
    """
    for path in spool_files(spool):
        remove(path)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, unless they are there.

    Raises:
        StorageError: that is not possible.
    """
    if not folder.is_dir():
        with _storage_errors(folder):
            _step("make", folder)
            folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder.parent)


@contextlib.contextmanager
def appending(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to whose end something is written that need not outlive this program.

    Raises:
        StorageError: it cannot be written.
    """
    with _storage_errors(path):
        _step("append", path)
        with path.open("ab") as file:
            yield file


def is_left_over(name: str) -> bool:
    """Whether a file of this name is one that a program which was killed had not moved into place, or had not removed."""
    return name == SPOOL or name.startswith(f"{SPOOL}.") or _HALF_WRITTEN.fullmatch(name) is not None


def remove_left_over(folder: Path) -> None:
    """Remove such files in ``folder`` and below. No other program may write there meanwhile."""
    for at, _, names in os.walk(folder):
        for name in filter(is_left_over, names):
            remove(Path(at, name))


def _step(name: str, path: Path) -> None:
    if _hook is not None:
        _hook(name, path)


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(path, error) from error


def _sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system has a way."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):  # some file systems refuse it, and do it by themselves
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
