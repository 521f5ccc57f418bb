"""As much of HTTP/1.1 as the servers beside a trial need: connections that are kept, bodies of known length, one answer after the other.

Parsing by h11 would leave 41 % of the image server's throughput: of files of 4 kB over 4 connections 8 100 requests/s instead of 19 800,
and 100 µs of CPU time each instead of 35; of files of 197 kB 5 100 instead of 9 000, and 140 µs instead of 80.

A server's process imports nothing but the standard library and what needs no more than that, so that it starts in a tenth of a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

# A head is a few hundred bytes.
_LONGEST_HEAD_BYTES = 65_536

# The names by which a client on this machine calls it; a page in a browser that was led here by another name is refused.
_HOSTS = frozenset({"127.0.0.1", "localhost"})


_NO_BODY = memoryview(b"")


class Request(NamedTuple):
    """The head of a request.

    Attributes:
        method, target: as they were sent, such as ``GET`` and ``/0/a.jpg``.
        headers: by their names in lower case; of those with the same name the last.
        length: bytes of the body.
        is_last: whether the client wants the connection closed after the answer.
    """

    method: str
    target: str
    headers: dict[str, str]
    length: int
    is_last: bool


class Server(Protocol):
    """What a server does with requests.

    Attributes:
        longest_body_bytes: a request with a larger body is refused.
    """

    longest_body_bytes: int

    def refusal(self, request: Request) -> str | None:
        """The status with which to refuse a request before its body is read; None where it is welcome."""

    def handle(self, request: Request, body: memoryview, connection: Connection) -> None:
        """Take a request, and call ``connection.write`` and ``connection.done``, now or later. ``body`` is valid during this call."""

    def last_words(self) -> dict[str, Any]:
        """What is to be said of all that was done, as plain data."""


class Refused(Exception):
    """A request that is not answered but for this status; the connection ends."""


class Connection(asyncio.Protocol):
    """One client: its requests are handled one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._request: Request | None = None
        self._busy = self._advancing = self._is_last = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._advance()
        elif len(self._buffer) > _LONGEST_HEAD_BYTES + self._server.longest_body_bytes:
            self._transport.abort()  # it sends without an end and waits for no answer

    @property
    def is_closing(self) -> bool:
        """Whether the client is gone."""
        return bool(self._transport.is_closing())

    def write(self, data: bytes | memoryview) -> None:
        """Send a part of the answer, or all of it."""
        self._transport.write(data)

    def done(self) -> None:
        """The answer is written: the next request may come."""
        if self._is_last:
            self._transport.close()  # and what may follow is not handled
            return
        self._busy = False
        if not self._advancing:
            self._advance()

    def _advance(self) -> None:
        """Handle requests until one is not all there, or is answered later."""
        self._advancing = True
        try:
            while self._buffer and not self._busy and self._step():
                pass
        except Refused as refused:
            self._busy = True  # for good
            self.write(answer(str(refused)))
            self._transport.close()
        finally:
            self._advancing = False

    def _step(self) -> bool:
        """Handle the next request; whether all of it was there."""
        if self._request is None:
            self._request = self._head()
        request = self._request
        if request is None or len(self._buffer) < request.length:
            return False
        self._request, self._busy, self._is_last = None, True, request.is_last
        if not request.length:
            self._server.handle(request, _NO_BODY, self)
            return True
        with memoryview(self._buffer) as received, received[: request.length] as body:
            self._server.handle(request, body, self)
        del self._buffer[: request.length]
        return True

    def _head(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n", 0, _LONGEST_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= _LONGEST_HEAD_BYTES:
                raise Refused("431 Request Header Fields Too Large")
            return None
        request = parsed(self._buffer[:end].decode("latin-1"), self._server.longest_body_bytes)
        del self._buffer[: end + 4]
        if (status := self._server.refusal(request)) is not None:
            raise Refused(status)
        return request


def parsed(head: str, longest_body_bytes: int) -> Request:
    """The head of a request, without the empty line at its end.

    Raises:
        Refused: it is no request, or none for this machine.
    """
    first, *lines = head.split("\r\n")
    words = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = number(headers["content-length"], longest_body_bytes) if "content-length" in headers else 0
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or "transfer-encoding" in headers or length is None:
        raise Refused("400 Bad Request")
    if "host" not in headers:
        raise Refused("400 Bad Request")
    if headers["host"].partition(":")[0].lower() not in _HOSTS:
        raise Refused("421 Misdirected Request")
    if "origin" in headers:  # a page in a browser; the workers are no such
        raise Refused("403 Forbidden")
    return Request(words[0], words[1], headers, length, headers.get("connection", "").lower() == "close")


def number(text: str, most: int) -> int | None:
    """The number from 0 to ``most`` that ``text`` is; None where it is none."""
    value = int(text) if text.isdecimal() and len(text) <= 20 else most + 1
    return value if value <= most else None


def answer(status: str, body: bytes = b"") -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def run(make: Callable[..., Server]) -> None:
    """Be a server's process, as ``children`` starts it.

    Reads what the server is made of, a line of JSON, from the standard input; writes a line with the port to the standard output; serves
    until the input ends, when the conductor closes it or is gone; then writes a line with the server's last words and the CPU seconds that it used since it was ready.
    """
    # Ctrl-C goes to every process of the terminal; the conductor decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(make(**json.loads(sys.stdin.buffer.readline()))))


async def _serve(server: Server) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0, backlog=4096)
    began_s = time.process_time()
    _say({"port": listening.sockets[0].getsockname()[1]})
    # A thread, because a pipe cannot be watched by the loop on every system.
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()
    listening.close()
    _say(server.last_words() | {"cpu_s": time.process_time() - began_s})


def _say(message: dict[str, Any]) -> None:
    line = memoryview(json.dumps(message).encode() + b"\n")
    with contextlib.suppress(BrokenPipeError):  # the conductor is gone
        while line:
            line = line[os.write(sys.stdout.fileno(), line) :]
