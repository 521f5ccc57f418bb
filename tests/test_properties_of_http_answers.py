"""Whatever a server answers: the body that it has sent, or an error of the kind that is documented, with bounded memory."""

from __future__ import annotations

import contextlib
import http.client
import tracemalloc
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.mutations import anything_or
from support.raw_server import RawServer, raw_server

from runner.config.options import ToHttp, Url
from runner.errors import ImageNotFetched, SinkError
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks.http import HttpSink
from runner.pipeline.sources.failures import TooLargeError
from runner.pipeline.sources.fetching import UrlReader
from runner.pipeline.sources.http_client import HttpClient

MOST = 1000
GOOD = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nContent-Type: image/jpeg\r\n\r\n0123456789",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6;name=value\r\n456789\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n0123456789",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789",
    b"HTTP/1.1 200 OK\r\nX-Digest: 00ff\r\nContent-Length: 0\r\n\r\n",
]
SEVERAL = st.lists(st.sampled_from(GOOD), max_size=3).map(b"".join)
ANSWERS = st.one_of(anything_or(*GOOD), st.builds(bytes.__add__, anything_or(*GOOD, reach=20), SEVERAL))


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


def got(server: RawServer, answer: bytes, most: int = MOST) -> bytes:
    server.answer = answer
    with closing(HttpClient(20.0, most)) as client:
        return client.get(server.url)


BODIES = st.one_of(st.binary(max_size=300), st.integers(MOST - 2, MOST + 2).map(bytes))


@given(BODIES, st.sampled_from(["length", "chunks", "end"]), st.lists(st.integers(1, 300), max_size=5))
def test_the_body_is_read_however_its_end_is_marked(server: RawServer, body: bytes, how: str, sizes: list[int]) -> None:
    head = b"HTTP/1.1 200 OK\r\n"
    if how == "length":
        answer = head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    elif how == "end":
        answer = head + b"Connection: close\r\n\r\n" + body
    else:
        parts, rest = [], body
        for size in sizes:
            parts.append(rest[:size])
            rest = rest[size:]
        chunks = b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in (*parts, rest) if part)
        answer = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    if len(body) > MOST:
        with pytest.raises(TooLargeError):
            got(server, answer)
    else:
        assert got(server, answer) == body


@given(ANSWERS)
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n01234\r\n0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
def test_any_answer_is_a_body_within_the_limit_or_an_error_of_the_connection(server: RawServer, answer: bytes) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert len(got(server, answer)) <= MOST


@given(ANSWERS)
def test_any_answer_is_an_image_or_one_that_could_not_be_fetched(server: RawServer, answer: bytes) -> None:
    server.answer = answer
    with closing(UrlReader(Url(url=server.url, timeout_s=20, retries=0, max_bytes=MOST))) as reader:
        try:
            data = reader.fetch(server.url)
        except ImageNotFetched as error:
            said = str(error)
        else:
            assert len(data) <= MOST
            return
    assert "\n" not in said


@given(ANSWERS)
def test_any_answer_to_a_result_is_its_receipt_or_the_failure_of_its_image(server: RawServer, answer: bytes) -> None:
    server.answer = answer
    with closing(HttpSink(ToHttp(url=server.url, timeout_s=20, retries=0), lambda result: result)) as sink:
        sink.begin(0)
        try:
            sink.put(np.zeros(4, np.uint8), 7)
        except SinkError:
            taken = 0
        else:
            taken = 1
        receipt = sink.end()
    assert (receipt.count, len(receipt.doubtful)) == (taken, 1 - taken)
    assert receipt.count or receipt == Receipt(doubtful=receipt.doubtful)


@pytest.mark.parametrize("size", [b"-1", b"ffffffff", b"-ffffffff"])
def test_a_chunk_that_never_ends_takes_no_more_memory_than_the_limit(server: RawServer, size: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + bytes(20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match=r"larger|negative"):
            got(server, answer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
