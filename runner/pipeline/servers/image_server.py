"""An HTTP server of image files on loopback, with a latency, a jitter and a bandwidth."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

from runner.pipeline.servers.http import Connection, Request, answer, number, run

# How many bytes are sent to a connection at a time where the bandwidth is limited: others get their turn in between.
CHUNK_BYTES = 16_384


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
        self._requests_of: Counter[int] = Counter()
        self._free_at = 0.0

    def content(self, target: str) -> tuple[int, bytes] | None:
        """Number and bytes of the file that ``target`` names; None where it names none."""
        index = number(target.partition("/")[2].partition("/")[0], len(self._paths) - 1)
        if index is None:
            return None
        try:
            with open(self._paths[index], "rb", buffering=0) as file:  # noqa: PTH123  (at every request: the shortest way)
                return index, file.read()
        except OSError:
            return None

    def delay_s(self, index: int) -> float:
        """How long the first byte of this request waits."""
        if not self._jitter_s:
            return self._latency_s
        self._requests_of[index] += 1
        draw = random.Random(f"{self._seed}/{index}/{self._requests_of[index]}")  # noqa: S311  (a delay is no secret)
        return max(0.0, self._latency_s + draw.uniform(-self._jitter_s, self._jitter_s))

    def sent_at(self, ready_at: float, size: int) -> float:
        """When the last of ``size`` bytes that are ready at ``ready_at`` has gone over the line; they take their turn now."""
        if self.bandwidth is None:
            return ready_at
        self._free_at = max(self._free_at, ready_at) + size / self.bandwidth
        return self._free_at


class ImageServer:
    """Answers ``GET /n`` with file number n, as fast as the link lets it; anything else is not found."""

    longest_body_bytes = 0

    def __init__(self, **link: Any) -> None:
        self._link = Link(**link)

    def refusal(self, request: Request) -> None:
        """Every request has an answer."""

    def handle(self, request: Request, body: memoryview, connection: Connection) -> None:  # noqa: ARG002  (it has none)
        content = self._link.content(request.target) if request.method == "GET" else None
        index, data = content or (-1, b"")
        whole = memoryview(answer("200 OK" if content else "404 Not Found", data))
        self._link.requests += 1
        delay_s = self._link.delay_s(index)
        loop = asyncio.get_running_loop()
        at = loop.time() + delay_s
        if delay_s:
            loop.call_at(at, self._send, connection, whole, at)
        else:
            self._send(connection, whole, at)

    def last_words(self) -> dict[str, Any]:
        return {"requests": self._link.requests, "bytes_sent": self._link.bytes_sent}

    def _send(self, connection: Connection, data: memoryview, ready_at: float) -> None:
        """Send what is there: at once, or by chunks, each when the line has carried it.

        Each chunk is due by the times of the ones before and not by when the loop came round: its lateness does not add up.
        """
        if connection.is_closing:
            return
        if self._link.bandwidth is None:
            self._sent(connection, data, memoryview(b""), ready_at)
        else:
            chunk, rest = data[:CHUNK_BYTES], data[CHUNK_BYTES:]
            due = self._link.sent_at(ready_at, len(chunk))
            asyncio.get_running_loop().call_at(due, self._sent, connection, chunk, rest, due)

    def _sent(self, connection: Connection, chunk: memoryview, rest: memoryview, due: float) -> None:
        if connection.is_closing:
            return
        connection.write(chunk)
        self._link.bytes_sent += len(chunk)
        if rest:
            self._send(connection, rest, due)
        else:
            connection.done()


def main() -> None:
    """Be the server's process."""
    run(ImageServer)
