"""Bounds the answers of MLflow's server in time and bytes. The timeout of a request is that of one read, and there is no limit of bytes."""

from __future__ import annotations

import http.client
from time import monotonic
from typing import Any

from urllib3.connection import HTTPConnection

from runner.host.bounded_answer import BoundedSocket, TooLong

# How many reads' time a whole answer may take, and the bytes that it may have; where it is compressed, it is many times as large.
_READS = 6
_MOST_BYTES, _MOST_COMPRESSED_BYTES = 100_000_000, 4_000_000

TOO_MUCH = "has no end in sight"


def apply(read_timeout_s: float) -> None:
    """Bound every answer that urllib3 gets in this process."""
    limit_s = read_timeout_s * _READS

    class Bounded(http.client.HTTPResponse):
        """An answer with a deadline for all of it."""

        def __init__(self, sock: Any, *arguments: Any, **named: Any) -> None:
            bounded: Any = BoundedSocket(sock, monotonic() + limit_s, _MOST_BYTES, TOO_MUCH)
            self._bounded = bounded
            super().__init__(bounded, *arguments, **named)

        def begin(self) -> None:
            super().begin()
            encoding = self.headers.get("Content-Encoding", "identity").lower()
            if encoding not in {"identity", "gzip", "deflate"}:
                raise TooLong(f"{TOO_MUCH}: it is compressed by {encoding}")
            if encoding != "identity":
                self._bounded.most_bytes = _MOST_COMPRESSED_BYTES

    HTTPConnection.response_class = Bounded
