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

# How often somebody who waits looks again, in seconds.
_PATIENCE_S = 0.5

# Whether this process holds it already, by its id: a fork does not.
_holder_pid: int | None = None


@contextlib.contextmanager
def host_lock(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the host's lock; while another program holds it, wait, after ``tell`` has been told who that is.

    A process that holds it already goes on holding it.
    """
    global _holder_pid  # noqa: PLW0603
    if _holder_pid == os.getpid():
        yield
        return
    path = _shared_folder() / "image-pipeline-runner.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"another run is measuring on this host, waiting for it to end: {_holder(path)}")
        lock.acquire(poll_interval=_PATIENCE_S)
    _holder_pid = os.getpid()
    try:
        with contextlib.suppress(OSError):
            path.chmod(0o666)  # the next to hold it may be another user
        with contextlib.suppress(OSError):  # the note of another user who was killed stays: it only says who that was
            _beside(path).write_text(
                json.dumps({"pid": os.getpid(), "folder": str(Path.cwd()), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
            )
        yield
    finally:
        _holder_pid = None
        with contextlib.suppress(OSError):
            _beside(path).unlink()
        lock.release()


def _shared_folder() -> Path:
    """A folder that all programs of the host share: what TMPDIR names is, under Slurm, often a job's own."""
    shared = Path("/tmp")  # noqa: S108  (a lock, whose name everybody is to know)
    return shared if shared.is_dir() and os.access(shared, os.W_OK) else Path(tempfile.gettempdir())


def _beside(path: Path) -> Path:
    return path.with_suffix(".holder")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(_beside(path).read_text())
    except (OSError, ValueError):
        return f"somebody who did not say who, see {path}"
    return f"pid {holder['pid']}, started in {holder['folder']} at {holder['since']}"
