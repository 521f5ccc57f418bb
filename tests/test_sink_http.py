"""Sending over HTTP: what is sent, what is tried again, proxies, connections."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support.sinks import ARRAY, http_sink
from support.troublesome_server import TroublesomeServer, free_port

from runner.config.options import (
    Payload,
)
from runner.errors import SinkError


def test_an_array_is_sent_as_its_bytes_with_what_they_mean() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url + "?key=1")
        sink.begin(4)
        sink.put(ARRAY, 7)
        (headers, body) = server.requests[0]
        sink.close()
    assert np.array_equal(np.frombuffer(body, headers["X-Dtype"]).reshape(100, 500), ARRAY)
    assert (headers["X-Item"], headers["X-Epoch"], headers["X-Shape"]) == ("7", "4", "100,500")


def test_a_digest_is_sent_instead_of_the_array_where_that_is_asked_for() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url, payload=Payload.digest)
        for item, array in enumerate((ARRAY, ARRAY + 1, ARRAY, ARRAY.reshape(-1))):
            sink.put(array, item)
        bodies = [body for _, body in server.requests]
        assert sink.end().bytes == 4 * 32
        sink.close()
    assert bodies[0] == bodies[2]
    assert len(set(bodies)) == 3
    assert all(len(bytes.fromhex(body.decode())) == 16 for body in bodies)


@pytest.mark.parametrize("trouble", ["500", "503", "408", "429", "reset", "mute"])
def test_what_may_pass_is_tried_again(trouble: str, no_pauses: list[float]) -> None:
    with TroublesomeServer(trouble, trouble, "200") as server:
        sink = http_sink(server.url)
        sink.put(ARRAY, 0)
        receipt = sink.end()
        sink.close()
    assert (receipt.count, receipt.repeated, receipt.bytes) == (1, 2, ARRAY.nbytes)
    assert no_pauses == [0.1, 0.2]
    assert server.requests[-1][1] == ARRAY.tobytes()


@pytest.mark.parametrize("status", ["400", "401", "404", "301", "413"])
def test_what_does_not_pass_is_not_tried_again(status: str) -> None:
    with TroublesomeServer(status, "200") as server:
        sink = http_sink(server.url)
        with pytest.raises(SinkError, match=f"POST {server.url}: status {status}$"):
            sink.put(ARRAY, 0)
        assert len(server.requests) == 1
        assert sink.end().count == 0
        sink.close()


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("500", "status 500, 2 times"),
        ("hang", "no answer within 0.3 s, 2 times"),
        ("reset", "2 times"),
        ("wrong digest", "the answer's X-Digest is not that of the body, 2 times"),
    ],
)
def test_what_does_not_pass_in_time_is_told(trouble: str, says: str, no_pauses: list[float]) -> None:
    with TroublesomeServer(trouble) as server:
        sink = http_sink(server.url, retries=1, timeout_s=0.3)
        with pytest.raises(SinkError, match=says):
            sink.put(ARRAY, 3)
        assert list(sink.end().doubtful) == [3]
        assert len(server.requests) == 2
        sink.close()


def test_a_server_that_is_not_there_is_told_without_the_password_and_the_query(no_pauses: list[float]) -> None:
    sink = http_sink(f"http://me:hidden@127.0.0.1:{free_port()}/in?token=hidden", retries=1)
    with pytest.raises(SinkError) as caught:
        sink.put(ARRAY, 0)
    sink.close()
    assert str(caught.value).endswith("/in: Connection refused, 2 times")
    assert "hidden" not in str(caught.value)


def test_the_password_of_an_address_is_sent_as_a_header() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url.replace("//", "//me:secret@"))
        sink.put(ARRAY, 0)
        sink.close()
    assert server.requests[0][0]["authorization"] == "Basic bWU6c2VjcmV0"


def test_a_digest_in_the_answer_confirms_what_was_sent() -> None:
    with TroublesomeServer("digest", "200") as server:
        sink = http_sink(server.url)
        sink.put(ARRAY, 0)
        assert sink.end().confirmed == 1
        sink.put(ARRAY, 0)
        assert sink.end().confirmed == 0
        sink.close()


def test_a_proxy_is_used_and_no_proxy_respected(no_pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    with TroublesomeServer() as server, TroublesomeServer() as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.server_port}")
        sink = http_sink("http://far.invalid/in?key=1")
        for item in range(2):
            sink.put(ARRAY, item)
        sink.close()
        near = http_sink(server.url)  # on this machine
        near.put(ARRAY, 0)
        near.close()
        monkeypatch.setenv("no_proxy", "far.invalid")
        direct = http_sink("http://far.invalid/in", retries=0)
        with pytest.raises(SinkError):
            direct.put(ARRAY, 0)
        direct.close()
    assert (len(proxy.requests), proxy.connections, len(server.requests)) == (2, 1, 1)
    headers, body = proxy.requests[0]
    assert (headers["Host"], headers["proxy-authorization"], body) == ("far.invalid", "Basic bWU6c2VjcmV0", ARRAY.tobytes())


def test_connections_are_kept_and_shared_by_threads() -> None:
    with TroublesomeServer() as server:
        sink = http_sink(server.url)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda item: sink.put(ARRAY, item), range(40)))
        assert sink.end().count == 40
        assert server.connections <= 4
        sink.close()
