"""Whatever a client sends to the servers beside a trial: it gets answers, the others go on, and memory is bounded."""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import psutil
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.mutations import anything_or

from runner.pipeline.receipts import Arrivals
from runner.pipeline.servers.children import Child
from runner.pipeline.servers.http import Connection, Refused, Request, Server, number, parsed
from runner.pipeline.servers.image_server import ImageServer
from runner.pipeline.servers.receiver import CountingServer, Receiver

GOOD = [
    b"GET /0/a.jpg HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n",
    b"GET /1/b.jpg HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nX-Item: 5\r\nX-Epoch: 0\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nX-Item: 6\r\nX-Epoch: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
]
SEVERAL = st.lists(st.one_of(st.sampled_from(GOOD), anything_or(*GOOD)), max_size=4).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=6).map(sorted)
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) [\w ]+\r\nContent-Type: application/octet-stream\r\nContent-Length: (\d+)\r\n\r\n")


class Wire:
    """Stands in for a connection's transport: keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False

    def write(self, data: bytes | memoryview) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed


class Later(CountingServer):
    """Takes each request, and answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._waiting: list[tuple[Request, bytes, Connection]] = []

    def handle(self, request: Request, body: memoryview, connection: Connection) -> None:
        self._waiting.append((request, bytes(body), connection))

    def catch_up(self) -> None:
        while self._waiting:
            request, body, connection = self._waiting.pop()
            super().handle(request, memoryview(body), connection)


def answers(server: Server, parts: Sequence[bytes]) -> tuple[list[int], bool]:
    """The statuses of the answers to what comes in these parts, and whether the connection was closed."""

    async def served() -> Wire:
        wire, connection = Wire(), Connection(server)
        connection.connection_made(wire)
        for part in parts:
            if not wire.closed:
                connection.data_received(part)
            if isinstance(server, Later):
                server.catch_up()
        return wire

    wire = asyncio.run(served())
    statuses, rest = [], wire.written
    while rest:
        head = ANSWER.match(rest)
        assert head is not None
        statuses.append(int(head[1]))
        rest = rest[head.end() + int(head[2]) :]
    return statuses, wire.closed


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("files")
    for name, content in (("a.jpg", b"an image"), ("b.jpg", b"")):
        (folder / name).write_bytes(content)
    return [str(folder / "a.jpg"), str(folder / "b.jpg")]


def image_server(files: list[str]) -> ImageServer:
    return ImageServer(paths=files, latency_s=0.0, jitter_s=0.0, bandwidth=None, seed=0)


@given(st.one_of(st.text(st.characters(max_codepoint=255)), anything_or(*GOOD).map(lambda data: data.decode("latin-1"))))
def test_any_head_is_a_request_or_refused(head: str) -> None:
    try:
        request = parsed(head, 100)
    except Refused as refused:
        status = str(refused)
    else:
        assert 0 <= request.length <= 100
        return
    assert status.startswith("4")


@given(st.text(max_size=30), st.integers(0, 10**12))
@example("9" * 5000, 10)
@example("\u0665", 10)
def test_a_number_is_one_up_to_the_limit_or_none(text: str, most: int) -> None:
    value = number(text, most)
    assert value is None or (0 <= value <= most and value == int(text))


@given(SEVERAL, CUTS)
def test_the_image_server_answers_the_same_however_the_bytes_come(files: list[str], data: bytes, places: list[int]) -> None:
    whole = answers(image_server(files), [data])
    assert answers(image_server(files), cut(data, places)) == whole
    assert set(whole[0]) <= {200, 400, 404, 421, 431}


@given(SEVERAL, CUTS)
def test_the_receiver_counts_the_same_however_the_bytes_come_and_whenever_it_answers(data: bytes, places: list[int]) -> None:
    one = CountingServer(0.0)
    whole = answers(one, [data])
    for other in (CountingServer(0.0), Later()):
        assert answers(other, cut(data, places)) == whole
        assert other.last_words() == one.last_words()
    counted = sum(arrivals["count"] + arrivals["duplicates"] for arrivals in one.last_words()["arrivals"].values())
    assert whole[0].count(200) == counted


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 3), st.binary(max_size=50)), max_size=6), CUTS)
def test_the_receiver_counts_what_is_sent(results: list[tuple[int, int, bytes]], places: list[int]) -> None:
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nX-Item: {}\r\nX-Epoch: {}\r\n\r\n"
    data = b"".join(head.format(len(body), item, epoch).encode() + body for item, epoch, body in results)
    arrived: dict[int, Arrivals] = {}
    for item, epoch, body in results:
        arrived.setdefault(epoch, Arrivals()).take(item, body)
    for server in (CountingServer(0.0), Later()):
        assert answers(server, cut(data, places)) == ([200] * len(results), False)
        assert server.last_words()["arrivals"] == {epoch: arrivals.record() for epoch, arrivals in arrived.items()}


def test_a_result_of_unknown_length_is_refused() -> None:
    head = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Item: 1\r\nX-Epoch: 0\r\n\r\n"
    assert answers(CountingServer(0.0), [head]) == ([400], True)


def test_a_head_without_an_end_is_not_kept() -> None:
    statuses, closed = answers(CountingServer(0.0), [b"GET / HTTP/1.1\r\nX: "] + [b"x" * 10_000] * 20)
    assert (statuses, closed) == ([431], True)


def tell(port: int, data: bytes) -> bytes:
    """What a server answers to these bytes, until it closes or has no more of them to wait for."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        except ConnectionError:
            return b""
        return answer


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def images(files: list[str]) -> Iterator[Child]:
    plan = {"paths": files, "latency_s": 0.0, "jitter_s": 0.0, "bandwidth": None, "seed": 0}
    child = Child("image server", "runner.pipeline.servers.image_server", plan)
    yield child
    child.close()


def port_of(server: Any) -> int:
    return int(server.url.rsplit(":", 1)[1].strip("/")) if isinstance(server, Receiver) else int(server.ready["port"])


@pytest.mark.parametrize("name", ["receiver", "images"])
@given(data=SEVERAL)
def test_the_process_of_a_server_lives_on_and_holds_no_connection(
    request: pytest.FixtureRequest, name: str, data: bytes
) -> None:
    server = request.getfixturevalue(name)
    tell(port_of(server), data)
    connection = http.client.HTTPConnection("127.0.0.1", port_of(server), timeout=20)
    headers = {"X-Item": "1", "X-Epoch": "9"}
    connection.request(*(("POST", "/", b"x", headers) if name == "receiver" else ("GET", "/0/a.jpg")))
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"" if name == "receiver" else b"an image")
    connection.close()
    assert len(psutil.Process(server.pid).net_connections()) < 50
