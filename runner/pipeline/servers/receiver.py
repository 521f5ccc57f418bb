"""A server on loopback that takes what ``sink=http`` sends and counts it, in a process of its own.

It is a child of the conductor, so that nothing it uses is counted into a trial; it ends with the conductor, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import threading
import time
from collections import defaultdict
from typing import Any

from runner.errors import TrialFailed
from runner.host.connections import Connection
from runner.host.interrupts import interrupts_held
from runner.host.watchdog import die_with_parent
from runner.pipeline.receipts import Arrivals

# How long it may take to stand ready, and to answer a question: seconds.
_READY_S = 60.0
_ANSWER_S = 60.0
_END_S = 5.0

# What a request may have at most: bytes of head, bytes of body.
_HEAD_BYTES = 65536
_BODY_BYTES = 2**31


class Receiver:
    """Takes results from the moment it is made until it is closed.

    Attributes:
        url: where to send them.
        pid: its process.

    Args:
        latency_s: after how many seconds it answers.

    Raises:
        TrialFailed: it did not start.
    """

    def __init__(self, latency_s: float = 0.0) -> None:
        # Not forked: the conductor has threads.
        context = multiprocessing.get_context("spawn")
        self._connection, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, latency_s), name="receiver", daemon=True)
        with interrupts_held():
            self._process.start()
        there.close()
        self.pid = self._process.pid
        try:
            port = self._answer(_READY_S)
        except TrialFailed:
            self.close()
            raise
        self.url = f"http://127.0.0.1:{port}/"

    def arrivals(self) -> tuple[dict[int, Arrivals], float]:
        """What has arrived, by the number of the pass; and the CPU seconds that it took to receive it.

        Raises:
            TrialFailed: it does not say.
        """
        with contextlib.suppress(OSError):
            self._connection.send(None)
        arrived, cpu_s = self._answer(_ANSWER_S)
        return arrived, cpu_s

    def close(self) -> None:
        """End it."""
        self._connection.close()
        self._process.join(_END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()

    def _answer(self, limit_s: float) -> Any:
        try:
            if self._connection.poll(limit_s):
                return self._connection.recv()
        except (EOFError, OSError):
            self._process.join(1.0)
            raise TrialFailed(f"the receiver of sink=http has ended with status {self._process.exitcode}") from None
        raise TrialFailed(f"the receiver of sink=http has not answered within {limit_s:g} s")


def _serve(connection: Connection, latency_s: float) -> None:
    """The receiver's process, from its first line to its last."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the conductor, which decides
    die_with_parent()
    asyncio.run(_receive(connection, latency_s))


async def _receive(connection: Connection, latency_s: float) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    arrivals: dict[int, Arrivals] = defaultdict(Arrivals)
    server = await loop.create_server(lambda: _Conversation(arrivals, latency_s), "127.0.0.1", 0, backlog=4096)

    def tell() -> None:
        connection.send((dict(arrivals), time.process_time() - began_s))

    def listen() -> None:
        try:
            while True:
                connection.recv()
                loop.call_soon_threadsafe(tell)
        except (EOFError, OSError):
            loop.call_soon_threadsafe(ended.set)

    began_s = time.process_time()
    connection.send(server.sockets[0].getsockname()[1])
    threading.Thread(target=listen, name="questions", daemon=True).start()
    await ended.wait()


class _Conversation(asyncio.Protocol):
    """One connection: as much of HTTP/1.1 as a client needs that sends bodies of known length and keeps its connection."""

    def __init__(self, arrivals: dict[int, Arrivals], latency_s: float) -> None:
        self._arrivals = arrivals
        self._latency_s = latency_s
        self._buffer = bytearray()
        self._head: dict[bytes, bytes] | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (loop.create_server makes no other)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Go on by a head or a body; whether there may be more to do."""
        if self._head is None:
            end = self._buffer.find(b"\r\n\r\n", 0, _HEAD_BYTES)
            if end < 0:
                return self._refuse(b"431 Request Header Fields Too Large") if len(self._buffer) > _HEAD_BYTES else False
            lines = bytes(self._buffer[:end]).split(b"\r\n")
            del self._buffer[: end + 4]
            pairs = (line.partition(b":") for line in lines[1:])
            self._head = {name.strip().lower(): value.strip() for name, _, value in pairs}
        length, item, epoch = self._number(b"content-length", _BODY_BYTES), self._number(b"x-item"), self._number(b"x-epoch")
        if length is None or item is None or epoch is None:
            return self._refuse(b"400 Bad Request")
        if len(self._buffer) < length:
            return False
        with memoryview(self._buffer) as received, received[:length] as body:
            self._arrivals[epoch].take(item, body)
        del self._buffer[:length]
        self._head = None
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, self._answer)
        else:
            self._answer()
        return bool(self._buffer)

    def _number(self, name: bytes, most: int = 10**9) -> int | None:
        value = (self._head or {}).get(name, b"")
        return int(value) if value.isdigit() and len(value) < 11 and int(value) <= most else None

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def _refuse(self, status: bytes) -> bool:
        self._transport.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self._transport.close()
        self._buffer.clear()
        return False
