"""One measurement at a time on a host: two at once would time each other."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

# How often somebody who waits looks again, in seconds.
_PATIENCE_S = 0.5

# The start of a process, told twice, differs by less than this, in seconds.
_SAME_START_S = 5.0

# Whether this process holds it already, by its id: a fork does not.
_holder_pid: int | None = None

# The sweep that this process takes part in, with others.
_sweep: str | None = None


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
    while True:
        _await_reservation(tell)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            tell(f"another run is measuring on this host, waiting for it to end: {_holder(path)}")
            lock.acquire(poll_interval=_PATIENCE_S)
        if _other_sweep() is None:
            break
        lock.release()
    _holder_pid = os.getpid()
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
        _holder_pid = None
        with contextlib.suppress(OSError):
            _beside(path).unlink()
        lock.release()


def reserve_host(sweep: str | None, tell: Callable[[str], None] = lambda _: None) -> None:
    """Keep the host for a sweep while its processes hand the lock to each other: nobody else gets it in between.

    Every process of the sweep calls this, and again with None when it takes no more part. Waits for another sweep that has the host.
    """
    global _sweep  # noqa: PLW0603
    mine = _reservations() / str(os.getpid())
    _sweep = sweep
    if sweep is None:
        with contextlib.suppress(OSError):
            mine.unlink()
        return
    while True:
        _await_reservation(tell)
        # A file for each process: what one user has written in a folder for all, another may not change.
        with contextlib.suppress(OSError):
            _reservations().mkdir(exist_ok=True)
            _reservations().chmod(0o1777)
        with contextlib.suppress(OSError):
            mine.write_text(json.dumps({"sweep": sweep, "born": psutil.Process().create_time()}))
        if _other_sweep() is None:  # two that came at the same moment: the earlier has it
            return
        with contextlib.suppress(OSError):
            mine.unlink()


def _await_reservation(tell: Callable[[str], None]) -> None:
    other = _other_sweep()
    if other is not None:
        tell(f"another sweep takes turns on this host, waiting for it to end: {other}")
    while other is not None:
        time.sleep(_PATIENCE_S)
        other = _other_sweep()


def _other_sweep() -> str | None:
    """The sweep that has the host to itself, unless that is this process's own."""
    living = []
    with contextlib.suppress(OSError):
        for path in _reservations().iterdir():
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                note = json.loads(path.read_text())
                if _lives(int(path.name), note["born"]):
                    living.append((path.stat().st_mtime_ns, path.name, str(note["sweep"])))
                else:
                    path.unlink()  # it was killed
    first = min(living)[2] if living else None
    return None if first == _sweep else first


def _lives(pid: int, born: float) -> bool:
    """Whether this is the process that began then, which is told by the clock of the day: that may be set meanwhile."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return abs(process.create_time() - born) < _SAME_START_S and process.status() != psutil.STATUS_ZOMBIE
    return False


def _reservations() -> Path:
    return _shared_folder() / "image-pipeline-runner.reserved"


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
