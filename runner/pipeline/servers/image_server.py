"""An HTTP server of image files on loopback, with a latency, a jitter and a bandwidth: a process of its own.

The conductor starts this file as a program, so it imports nothing but the standard library. It reads one line of JSON from its
standard input, says on its standard output where it listens, and serves until its input ends: when the conductor closes it, or is
gone. Its last line says what it has done and what it took.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

# What is handed to a connection at a time where the bandwidth is limited: others get their turn in between.
CHUNK_BYTES = 16_384

# A request is a few hundred bytes; whatever sends more without an end is no client of ours.
_LONGEST_REQUEST_BYTES = 65_536


class Link:
    """What all connections share: the files, the line they go over, and the counts.

    Args:
        paths: file number n is served as ``/n/anything``.
        latency_s, jitter_s: the first byte is sent so long after the request, uniformly between latency - jitter and latency + jitter.
        bandwidth: bytes a second of all connections together, None for no limit.
        seed: the n-th request for a file has the same latency in every run with the same seed.
    """

    def __init__(self, paths: list[str], latency_s: float, jitter_s: float, bandwidth: float | None, seed: int) -> None:
        self.bandwidth = bandwidth
        self.requests = 0
        self.bytes_sent = 0
        self._paths = paths
        self._latency_s = latency_s
        self._jitter_s = jitter_s
        self._seed = seed
        self._asked: Counter[int] = Counter()
        self._free_at = 0.0

    def content(self, target: str) -> tuple[int, bytes] | None:
        """Number and bytes of the file that ``target`` names; None where it names none."""
        number = target.partition("/")[2].partition("/")[0]
        if not number.isdecimal() or int(number) >= len(self._paths):
            return None
        try:
            return int(number), Path(self._paths[int(number)]).read_bytes()
        except OSError:
            return None

    def delay_s(self, number: int) -> float:
        """How long the first byte of this request waits."""
        if not self._jitter_s:
            return self._latency_s
        self._asked[number] += 1
        draw = random.Random(f"{self._seed}/{number}/{self._asked[number]}")  # noqa: S311  (a delay is no secret)
        return max(0.0, self._latency_s + draw.uniform(-self._jitter_s, self._jitter_s))

    def sent_at(self, ready_at: float, size: int) -> float:
        """When the last of ``size`` bytes has gone over the line that are ready at ``ready_at``; they take their turn now."""
        if self.bandwidth is None:
            return ready_at
        self._free_at = max(self._free_at, ready_at) + size / self.bandwidth
        return self._free_at


class Connection(asyncio.Protocol):
    """One client: its requests are answered one after the other, and the connection stays."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._busy = self._last = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _LONGEST_REQUEST_BYTES:
            self._transport.abort()
        elif not self._busy:
            self._next()

    def _next(self) -> None:
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        self._busy, self._received = True, rest
        self._last = b"\r\nconnection: close" in head.lower()
        method, _, target = head.partition(b"\r\n")[0].partition(b" ")
        found = self._link.content(target.partition(b" ")[0].decode("latin-1")) if method == b"GET" else None
        number, body = found or (-1, b"")
        status = b"200 OK" if found else b"404 Not Found"
        header = b"HTTP/1.1 %b\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._link.requests += 1
        delay_s = self._link.delay_s(number)
        if delay_s:
            at = self._loop.time() + delay_s
            self._loop.call_at(at, self._send, memoryview(header + body), at)
        else:
            self._send(memoryview(header + body), self._loop.time())

    def _send(self, data: memoryview, ready_at: float) -> None:
        """Send what is there: at once, or by chunks, each when the line has carried it.

        Each chunk is due by the times of the ones before and not by when the loop came round: its lateness does not add up.
        """
        if self._transport.is_closing():
            return
        if self._link.bandwidth is None:
            self._write(data)
            self._done()
        else:
            chunk, rest = data[:CHUNK_BYTES], data[CHUNK_BYTES:]
            due = self._link.sent_at(ready_at, len(chunk))
            self._loop.call_at(due, self._sent, chunk, rest, due)

    def _sent(self, chunk: memoryview, rest: memoryview, due: float) -> None:
        if self._transport.is_closing():
            return
        self._write(chunk)
        if rest:
            self._send(rest, due)
        else:
            self._done()

    def _write(self, data: memoryview) -> None:
        self._transport.write(data)
        self._link.bytes_sent += len(data)

    def _done(self) -> None:
        self._busy = False
        if self._last:
            self._transport.close()
        elif self._received:
            self._next()


async def serve(link: Link) -> None:
    """Serve until the standard input ends."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def wait_for_the_end() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    server = await loop.create_server(lambda: Connection(link), "127.0.0.1", 0, backlog=1024)
    _say({"port": server.sockets[0].getsockname()[1]})
    # A thread, because a pipe cannot be watched by the loop on every system.
    threading.Thread(target=wait_for_the_end, daemon=True).start()
    await ended.wait()
    server.close()
    _say({"requests": link.requests, "bytes_sent": link.bytes_sent, "cpu_s": time.process_time()})


def _say(message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the conductor is gone, and nobody hears
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


def main() -> None:
    """Read the plan, and serve."""
    # Ctrl-C goes to every process of the terminal; it is the conductor that decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(Link(**json.loads(sys.stdin.buffer.readline()))))


if __name__ == "__main__":
    main()
