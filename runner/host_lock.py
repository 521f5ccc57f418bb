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


@contextlib.contextmanager
def host_lock(tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the host's lock; while another program holds it, wait, after ``tell`` has been told who that is."""
    path = Path(tempfile.gettempdir()) / "image-pipeline-runner.lock"
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        tell(f"another run is measuring on this host, waiting for it to end: {_holder(path)}")
        lock.acquire(poll_interval=_PATIENCE_S)
    try:
        with contextlib.suppress(OSError):
            path.chmod(0o666)  # the next to hold it may be another user
        with contextlib.suppress(
            OSError
        ):  # another user was killed and left his note: it says who it was, and keeps nobody out
            _beside(path).write_text(
                json.dumps({"pid": os.getpid(), "folder": str(Path.cwd()), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
            )
        yield
    finally:
        with contextlib.suppress(OSError):
            _beside(path).unlink()
        lock.release()


def _beside(path: Path) -> Path:
    return path.with_suffix(".holder")


def _holder(path: Path) -> str:
    try:
        holder = json.loads(_beside(path).read_text())
    except (OSError, ValueError):
        return f"somebody who did not say who, see {path}"
    return f"pid {holder['pid']}, started in {holder['folder']} at {holder['since']}"
