"""One measurement at a time on a host: two at once would time each other.

The lock is that of a file which belongs to the host's administrator and which every user may read. So no other user can put something
else in its place, and nothing is written to take it. ``RUNNER_LOCK_DIR`` names a folder whose lock is taken instead.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from runner.errors import ConfigurationError
from runner.host.flock import StillLocked, locked, opened_to_lock

LOCK_DIR = "RUNNER_LOCK_DIR"

# A Windows user has a folder for temporary files that is no other user's.
_FOLDER = tempfile.gettempdir() if sys.platform == "win32" else None
_OF_THE_HOST = (Path("/etc/machine-id"), Path("/etc/passwd"))

# The file whose lock this process holds.
_held: list[Path] = []


@contextlib.contextmanager
def host_lock(tell: Callable[[str], None], wait_s: float) -> Iterator[None]:
    """Hold the host's lock. While another program holds it, wait; ``tell`` is called once, with a message that says which.

    A process that holds the lock may take it again.

    Raises:
        ConfigurationError: another program has held it for ``wait_s`` seconds, or ``RUNNER_LOCK_DIR`` names no usable folder.
    """
    if _held:
        yield
        return
    with contextlib.ExitStack() as stack:
        _held.append(_take(stack, tell, wait_s))
        stack.callback(_held.pop)
        yield


def _take(stack: contextlib.ExitStack, tell: Callable[[str], None], wait_s: float) -> Path:
    """Take the first lock that there is; returns the path of its file."""
    for path in _files():

        def say(pid: int | None, path: Path = path) -> None:
            tell(f"another run is measuring on this host, waiting for it to end: {_described(pid, path)}")

        try:
            stack.enter_context(locked(path, wait_s, say))
        except OSError:  # not there on this system, or on a disk without locks
            continue
        except StillLocked as busy:
            reason = f"another run is still measuring on this host: {_described(busy.pid, path)}"
            raise ConfigurationError("host.wait_s", wait_s, reason, "more seconds to wait") from None
        return path
    tell("this system has no file to lock: a measurement of another program at the same time would not be noticed")
    return Path()


def _files() -> tuple[Path, ...]:
    folder = os.environ.get(LOCK_DIR) or _FOLDER
    if folder is None:
        return _OF_THE_HOST
    path = Path(folder, "image-pipeline-runner.lock")
    try:
        _make(path)
        os.close(opened_to_lock(path))
    except OSError as error:
        accepted = "a folder in which image-pipeline-runner.lock is a file that you may read, or can be made"
        raise ConfigurationError(LOCK_DIR, folder, error.strerror or str(error), accepted) from error
    return (path,)


def _make(path: Path) -> None:
    """Make the file, unless something is there. It appears with its mode, so that no user is kept out, whenever this ends."""
    if os.path.lexists(path):
        return
    handle, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        Path(made).chmod(0o644)
        with contextlib.suppress(FileExistsError):
            if sys.platform == "win32":
                Path(made).rename(path)
            else:
                os.link(made, path)
    finally:
        Path(made).unlink(missing_ok=True)


def _described(pid: int | None, path: Path) -> str:
    """A process, by what the system says of it: what another user has written somewhere is not believed, nor shown."""
    if pid is None:
        return f"this system does not say which process it is; lsof {path} may"
    try:
        process = psutil.Process(pid)
        words = f"pid {pid} of {process.username()}, started {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(process.create_time()))}"
        with contextlib.suppress(psutil.Error, OSError):  # of another user it is not shown
            words += f" in {process.cwd()}"
    except (psutil.Error, OSError):
        return f"pid {pid}"
    return words
