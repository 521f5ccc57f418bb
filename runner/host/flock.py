"""Advisory locks on files. Any user who may read a file may take its lock; nothing in the file is changed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# How often a process that waits looks again, in seconds.
_POLL_S = 0.5


class StillLocked(Exception):
    """Another program held the lock during the whole wait.

    Attributes:
        pid: the process that holds the lock; None where the system does not say.
    """

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid


@contextlib.contextmanager
def locked(path: Path, wait_s: float, on_wait: Callable[[int | None], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of a file.

    Args:
        path: of a regular file; a link or a pipe is refused.
        wait_s: how long to wait while another program holds the lock.
        on_wait: called once, before the wait, with the process that holds it; None where the system does not say.

    Raises:
        StillLocked: it was held for ``wait_s`` seconds.
        OSError: the file does not exist, cannot be read, is no regular file, or its file system has no locks.
    """
    end = time.monotonic() + wait_s
    waiting = False
    while True:
        descriptor = opened_to_lock(path)
        try:
            if _taken(descriptor):
                if os.fstat(descriptor).st_ino == path.stat().st_ino:  # otherwise the file has been replaced
                    yield
                    return
                continue
            if not waiting:
                on_wait(_holder(descriptor))
                waiting = True
            if time.monotonic() >= end:
                raise StillLocked(_holder(descriptor))
        finally:
            os.close(descriptor)  # this releases the lock
        time.sleep(max(0, min(_POLL_S, end - time.monotonic())))


@contextlib.contextmanager
def locked_with(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is made for it, and removed at the end.

    It is open for writing, as the file systems of some networks ask.

    Raises:
        StillLocked: another program holds it.
        OSError: the file cannot be made, is no regular file, or its file system has no locks.
    """
    while True:
        descriptor = _opened(path, os.O_RDWR | os.O_CREAT)
        try:
            if not _taken(descriptor):
                raise StillLocked(_holder(descriptor))
            if not _is_at(descriptor, path):  # its holder has removed it meanwhile
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows removes no open file; or the folder is gone
                    path.unlink()
            return
        finally:
            os.close(descriptor)  # this releases the lock


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


# What a file system says that has no locks, as some network disks: nothing more can be done about it than to go on without.
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def file_lock(path: Path, wait_s: float = -1, tell: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Hold the lock of a file that is made for it; where the file system has no locks, ``tell`` so and go on. By default wait without end.

    Raises:
        TimeoutError: another program held it for ``wait_s`` seconds.
        OSError: the file cannot be made.
    """
    from filelock import FileLock

    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except (OSError, NotImplementedError) as error:  # the library calls a system without flock so
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        tell(
            f"{path.parent}: its file system has no locks, so two programs that write there at the same time are not kept apart"
        )
    try:
        yield
    finally:
        lock.release()


def opened_to_lock(path: Path) -> int:
    """A descriptor of a regular file, open for reading.

    Raises:
        OSError: it does not exist, cannot be read, or is no regular file.
    """
    return _opened(path, os.O_RDONLY)


def _opened(path: Path, how: int) -> int:
    flags = how | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, 0o644)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is no regular file")


if sys.platform == "win32":
    import msvcrt

    # A locked byte cannot be read by others, so the lock is on a byte beyond the end of the file.
    _BEYOND = 2**31 - 2

    def _taken(descriptor: int) -> bool:
        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:
    import fcntl

    def _taken(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _holder(descriptor: int) -> int | None:
    """The process that holds the lock of an open file, as the kernel has it."""
    inode = str(os.fstat(descriptor).st_ino)
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            # Number, kind, ADVISORY, WRITE, process, device:inode, from, to; an arrow behind the number of one that waits.
            words = line.split()
            if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode and int(words[4]) > 0:
                return int(words[4])
    return None
