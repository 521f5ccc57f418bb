"""One measurement at a time on a host: two at once would time each other."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

# How often a process that waits looks again, in seconds.
_POLL_S = 0.5


@contextlib.contextmanager
def host_lock(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the host's lock. While another program holds it, wait; ``tell`` is called once, with a message that says which.

    A process that holds the lock may take it again.
    """
    path = _shared_folder() / "image-pipeline-runner.lock"
    lock = FileLock(path, is_singleton=True)
    if lock.is_locked:
        yield
        return
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"another run is measuring on this host, waiting for it to end: {_holder(path)}")
        lock.acquire(poll_interval=_POLL_S)
    try:
        with contextlib.suppress(OSError):
            path.chmod(0o666)  # the next to hold it may be another user
        with contextlib.suppress(OSError):  # another user's note, left by a run that was killed: it cannot be written over
            _note(path).write_text(
                json.dumps({"pid": os.getpid(), "folder": str(Path.cwd()), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
            )
        yield
    finally:
        with contextlib.suppress(OSError):
            _note(path).unlink()
        lock.release()


def _shared_folder() -> Path:
    """A folder that all programs of the host share. ``TMPDIR`` is not: under Slurm it is often a job's own."""
    shared = Path("/tmp")  # noqa: S108  (every program of the host must look for the lock in the same place)
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def _note(path: Path) -> Path:
    """The file beside the lock that identifies its holder."""
    return path.with_suffix(".holder")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(_note(path).read_text())
    except (OSError, ValueError):
        return f"its holder left no note, see {path}"
    return f"pid {holder['pid']}, started in {holder['folder']} at {holder['since']}"
