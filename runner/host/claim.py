"""A folder belongs to one program at a time: by the lock of a file in it, which ends with the program however that ends."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from runner.disk import make_folder
from runner.errors import ConfigurationError
from runner.host.flock import StillLocked, locked_with
from runner.host.lock import described

LOCK = ".lock"

# The folders that this process has claimed, each with what gives it back.
_claimed: dict[Path, contextlib.ExitStack] = {}


def claim(folder: Path, key: str, tell: Callable[[str], None]) -> None:
    """Make a folder, unless it is there, and keep other programs from using it until ``give_back_folders``.

    Args:
        folder: absolute.
        key: of the configuration that names it, for a message.
        tell: is told where the folder's disk has no locks.

    Raises:
        ConfigurationError: another program uses it.
        StorageError: it cannot be made.
    """
    if folder in _claimed:
        return
    new = not folder.is_dir()
    make_folder(folder)
    stack = contextlib.ExitStack()
    if new:
        stack.callback(_remove_empty, folder)
    try:
        stack.enter_context(locked_with(folder / LOCK))
    except StillLocked as busy:
        reason = f"another program is working in this folder: {described(busy.pid, folder / LOCK)}"
        raise ConfigurationError(key, folder, reason, "the folder once that program has ended; or another folder") from None
    except OSError as error:
        tell(f"{folder}: no lock can be taken here ({error.strerror}), so another program in this folder would not be noticed")
    _claimed[folder] = stack


def claimed_folders() -> list[Path]:
    """The folders that this process has claimed."""
    return list(_claimed)


def give_back(folder: Path) -> None:
    """Give back a folder that this process has claimed. One that was made for it and is empty is removed."""
    _claimed.pop(folder).close()


def give_back_folders() -> None:
    """Give back all that this process has claimed."""
    for folder in claimed_folders():
        give_back(folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
