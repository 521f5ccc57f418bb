"""A socket as a file whose reads have one deadline together. A socket's own timeout is that of one call: a server that sends a byte now and then would never end."""

from __future__ import annotations

import io
import socket
from time import monotonic
from typing import Any


class TooLong(OSError):
    """More was sent than is taken."""


class BoundedSocket(io.RawIOBase):
    """What ``http.client`` takes for a socket, to read one answer from it.

    Attributes:
        most_bytes: how many bytes may be read in all; None for any number.

    Args:
        sock: is read from; its own timeout holds for each read.
        deadline: on the clock of ``time.monotonic``.
        most_bytes: as above.
        too_long: says that there were more.
    """

    def __init__(self, sock: socket.socket, deadline: float, most_bytes: int | None = None, too_long: str = "") -> None:
        self.most_bytes = most_bytes
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._timeout_s = sock.gettimeout()
        self._deadline = deadline
        self._too_long = too_long
        self._bytes = 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        return _Buffered(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._deadline - monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left_s if self._timeout_s is None else min(left_s, self._timeout_s))
        count = self._file.readinto(buffer)
        self._bytes += count or 0
        if self.most_bytes is not None and self._bytes > self.most_bytes:
            raise TooLong(self._too_long)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Buffered(io.BufferedReader):
    """A file from which http.client reads no more than was asked for: it takes a chunk of size -1 to be all that is ever sent."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise OSError("the answer has a chunk of negative size")
        return super().read(size)
