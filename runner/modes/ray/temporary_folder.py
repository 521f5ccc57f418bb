"""Ray's folder for a cluster that is started here. It is removed with the cluster; where the trial was killed, by a later one.

The folder lies where the system keeps temporary files, within one that only this user may enter: Ray opens its own up to every user.
A lock beside it is held as long as the trial lives.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "runner-ray-"

# Ray makes sockets in the folder, and the path of a socket is limited to 107 bytes.
_LONGEST_PATH = 40


@dataclass
class TemporaryFolder:
    """A folder that belongs to this process."""

    path: Path
    _lock: FileLock

    @classmethod
    def made(cls) -> TemporaryFolder:
        while True:
            outer = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_root()))
            lock = _lock_in(outer)
            with contextlib.suppress(Timeout, FileNotFoundError):  # another trial takes it for abandoned
                lock.acquire(blocking=False)
                (outer / "r").mkdir(mode=0o700)
                return cls(outer / "r", lock)

    def remove(self) -> None:
        _remove(self.path.parent, self._lock)


def remove_abandoned() -> None:
    """Remove the folders of processes that have ended: one that was killed could not do it."""
    for folder in filter(_is_own, _root().glob(f"{_PREFIX}*")):
        with contextlib.suppress(Timeout, OSError):
            lock = _lock_in(folder)
            lock.acquire()
            _remove(folder, lock)


def _lock_in(folder: Path) -> FileLock:
    return FileLock(folder / "lock", blocking=False)


def _remove(folder: Path, lock: FileLock) -> None:
    if os.name == "nt":  # where no file that is open can be removed
        lock.release()
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user that no other may enter: other things of that name are somebody else's."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    if sys.platform == "win32":  # where a user's folder for temporary files is no other user's
        return stat.S_ISDIR(found.st_mode)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _root() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) + len(_PREFIX) + 10 <= _LONGEST_PATH or os.name == "nt" else Path("/tmp")  # noqa: S108
