"""Ray's folder for a cluster that is started here. It is removed with the cluster; where the trial was killed, by a later one.

The folder lies where the system keeps temporary files. A lock beside it is held as long as the trial lives.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
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
            path = _root() / f"{_PREFIX}{secrets.token_hex(4)}"
            lock = FileLock(f"{path}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            path.mkdir(mode=0o700)
            return cls(path, lock)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)
        self._lock.release()


def remove_abandoned() -> None:
    """Remove the folders of processes that have ended: one that was killed could not do it."""
    for lock_file in _root().glob(f"{_PREFIX}*.lock"):
        with contextlib.suppress(Timeout, OSError), FileLock(lock_file, blocking=False):
            shutil.rmtree(lock_file.with_suffix(""), ignore_errors=True)
            lock_file.unlink(missing_ok=True)


def _root() -> Path:
    usual = Path(tempfile.gettempdir())
    return usual if len(str(usual)) + len(_PREFIX) + 8 <= _LONGEST_PATH or os.name == "nt" else Path("/tmp")  # noqa: S108
