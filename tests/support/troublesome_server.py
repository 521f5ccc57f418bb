"""An HTTP server that does with each request what it is told to do, in turn; as a proxy it loses and damages some of them."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit


class TroublesomeServer(ThreadingHTTPServer):
    """Answers 200, unless ``deeds`` has something else for the request of that number; the last deed is for all that follow.

    Deeds: a status; ``reset`` (in the middle of the body), ``mute`` (takes all and closes without an answer), ``hang``, ``digest``
    and ``wrong digest`` (200 with X-Digest); with ``target``: ``pass`` (on to it), ``lose`` (answers 200 and passes nothing on),
    ``pass mutely`` (passes it on and closes without an answer), ``damage`` (passes on something else).

    Attributes:
        requests: their headers and bodies, as far as they were read.
        connections: how many there were.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *deeds: str, target: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deeds = deeds or ("200",)
        self.target = urlsplit(target)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.connections = 0
        self.count, self.release = threading.Lock(), threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/results"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: TroublesomeServer

    def setup(self) -> None:
        super().setup()
        with self.server.count:
            self.server.connections += 1

    def do_POST(self) -> None:
        server, length = self.server, int(self.headers.get("Content-Length", 0))
        with server.count:
            number = len(server.requests)
            server.requests.append((dict(self.headers), b""))
        deed = server.deeds[min(number, len(server.deeds) - 1)]
        if deed == "reset":
            self.rfile.read(length // 2)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        body = self.rfile.read(length)
        server.requests[number] = (dict(self.headers), body)
        if deed in {"pass", "pass mutely", "damage"}:
            self._pass_on(bytes([body[0] ^ 1]) + body[1:] if deed == "damage" else body)
        if deed == "hang":
            server.release.wait(60)
        if deed in {"hang", "mute", "pass mutely"}:
            self.close_connection = True
        else:
            self._answer(deed, body)

    def _pass_on(self, body: bytes) -> None:
        assert self.server.target.hostname is not None
        connection = http.client.HTTPConnection(self.server.target.hostname, self.server.target.port, timeout=60)
        connection.request("POST", self.path, body, dict(self.headers))
        assert connection.getresponse().status == 200
        connection.close()

    def _answer(self, deed: str, body: bytes) -> None:
        self.send_response(int(deed) if deed.isdigit() else 200)
        if deed.endswith("digest"):
            digest = hashlib.blake2b(body, digest_size=16).hexdigest()
            self.send_header("X-Digest", digest if deed == "digest" else digest[::-1])
        if deed.startswith("3"):
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
