"""A server on loopback that takes what ``sink=http`` sends, and counts it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

from runner.errors import TrialFailed
from runner.pipeline.receipts import Arrivals
from runner.pipeline.servers.children import Child
from runner.pipeline.servers.http import Connection, Request, answer, number, run

# The largest number that an item or an epoch can have.
_LARGEST_NUMBER = 10**9


class Receiver:
    """Takes results from the moment it is made until it is asked for them or closed.

    Attributes:
        url: where to send them.
        pid: its process.

    Args:
        latency_s: after how many seconds it answers.

    Raises:
        TrialFailed: it did not start.
    """

    def __init__(self, latency_s: float = 0.0) -> None:
        self._child = Child("receiver of sink=http", __name__, {"latency_s": latency_s})
        self.pid = self._child.pid
        self.url = f"http://127.0.0.1:{self._child.ready['port']}/"

    def arrivals(self) -> tuple[dict[int, Arrivals], float]:
        """End it; returns what has arrived, by the number of the pass, and the CPU seconds of its process.

        Raises:
            TrialFailed: it has died before.
        """
        words = self._child.end()
        if words is None:
            raise TrialFailed(f"the receiver of sink=http has ended with status {self._child.status()}")
        return {int(epoch): Arrivals.of(record) for epoch, record in words["arrivals"].items()}, words["cpu_s"]

    def close(self) -> None:
        """End it, if it still runs."""
        self._child.close()


class CountingServer:
    """Counts results by their epoch and item, which are in the headers ``X-Epoch`` and ``X-Item``."""

    longest_body_bytes = 2**31

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._arrivals: defaultdict[int, Arrivals] = defaultdict(Arrivals)

    def refusal(self, request: Request) -> str | None:
        countable = "content-length" in request.headers and None not in (_item(request), _epoch(request))
        return None if countable else "400 Bad Request"

    def handle(self, request: Request, body: memoryview, connection: Connection) -> None:
        item, epoch = _item(request), _epoch(request)
        if item is not None and epoch is not None:
            self._arrivals[epoch].take(item, body)
        if self._latency_s:
            asyncio.get_running_loop().call_later(self._latency_s, _confirm, connection)
        else:
            _confirm(connection)

    def last_words(self) -> dict[str, Any]:
        return {"arrivals": {epoch: arrivals.record() for epoch, arrivals in self._arrivals.items()}}


def _item(request: Request) -> int | None:
    return number(request.headers.get("x-item", ""), _LARGEST_NUMBER)


def _epoch(request: Request) -> int | None:
    return number(request.headers.get("x-epoch", ""), _LARGEST_NUMBER)


def _confirm(connection: Connection) -> None:
    if not connection.is_closing:
        connection.write(answer("200 OK"))
        connection.done()


def main() -> None:
    """Be the server's process."""
    run(CountingServer)
