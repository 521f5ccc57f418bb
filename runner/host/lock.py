"""One measurement at a time on a host: two at once would time each other.

The lock is on a file that belongs to the host's administrator and that every user may read. So no other user can replace the file, and
taking the lock writes nothing. ``RUNNER_LOCK_DIR`` names a folder with a lock to be taken instead.
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

# On Windows the folder for temporary files belongs to one user.
_FOLDER = tempfile.gettempdir() if sys.platform == "win32" else None
_HOST_FILES = (Path("/etc/machine-id"), Path("/etc/passwd"))

# The file whose lock this process holds.
_held: list[Path] = []


@contextlib.contextmanager
def host_lock(tell: Callable[[str], None], wait_s: float) -> Iterator[None]:
    """Hold the host's lock. While another program holds it, wait, after one call of ``tell`` with a message that names it.

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
    """Take the first lock that exists on this system; returns the path of its file."""
    for path in _files():

        def say(pid: int | None, path: Path = path) -> None:
            tell(f"another run is measuring on this host, waiting for it to end: {described(pid, path)}")

        try:
            stack.enter_context(locked(path, wait_s, say))
        except OSError:  # the file does not exist here, or its file system has no locks
            continue
        except StillLocked as busy:
            reason = f"another run is still measuring on this host: {described(busy.pid, path)}"
            raise ConfigurationError("host.wait_s", wait_s, reason, "more seconds to wait") from None
        return path
    tell("this system has no file to lock, so another measurement at the same time would not be noticed")
    return Path()


def _files() -> tuple[Path, ...]:
    folder = os.environ.get(LOCK_DIR) or _FOLDER
    if folder is None:
        return _HOST_FILES
    path = Path(folder, "image-pipeline-runner.lock")
    try:
        _make(path)
        os.close(opened_to_lock(path))
    except OSError as error:
        accepted = "a folder in which image-pipeline-runner.lock is a file that you may read, or can be made"
        raise ConfigurationError(LOCK_DIR, folder, error.strerror or str(error), accepted) from error
    return (path,)


def _make(path: Path) -> None:
    """Make the file, unless it exists. It appears with its final mode at once, so that every user can read it even if this is interrupted."""
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


def described(pid: int | None, path: Path) -> str:
    """The process that holds the lock of the file, in words, from what the system says about it. A text that another user wrote would not be trustworthy."""
    if pid is None:
        return f"this system does not say which process it is; lsof {path} may"
    try:
        process = psutil.Process(pid)
        words = f"pid {pid} of {process.username()}, started {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(process.create_time()))}"
        with contextlib.suppress(psutil.Error, OSError):  # the system does not show it of another user
            words += f" in {process.cwd()}"
    except (psutil.Error, OSError):
        return f"pid {pid}"
    return words
