"""An HTTP server on loopback that does to its clients what servers do: fails, is slow, breaks off, hangs, sends elsewhere."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


class TroublesomeServer(ThreadingHTTPServer):
    """Serves ``files`` by their path, after the trouble that the path begins with.

    Attributes:
        files: content by path, such as ``/a.jpg``.
        asked: how often for each path.
        connections: how many clients have connected.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.released = threading.Event()
        self.lock = threading.Lock()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has given up is no error."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TroublesomeServer

    def do_GET(self) -> None:
        server, path = self.server, self.path.partition("?")[0]
        with server.lock:
            server.asked[path] += 1
            number = server.asked[path]
            server.headers.append(dict(self.headers))
        _, trouble, *rest = path.split("/")
        if trouble.isdecimal() and number <= int(rest.pop(0)):  # /500/2/a.jpg: this status, twice
            self.answer(int(trouble), b"no")
            return
        content = server.files.get(path, server.files.get("/" + "/".join(rest)))
        if content is None:
            self.answer(404, b"nothing there")
        elif trouble in self.TROUBLES:
            self.TROUBLES[trouble](self, content)
        elif found := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            part = content[int(found[1]) : int(found[2]) + 1]
            self.answer(206, part, **{"Content-Range": f"bytes {found[1]}-{found[2]}/{len(content)}"})
        else:
            self.answer(200, content, type_="text/html" if path.endswith("/") else "application/octet-stream")

    do_HEAD = do_GET  # noqa: N815  (the name that http.server looks for)

    def elsewhere(self, _: bytes) -> None:
        self.answer(302, b"", location="/" + self.path.split("/", 2)[2])

    def broken(self, content: bytes) -> None:
        self.head(200, len(content))
        self.wfile.write(content[: len(content) // 2])
        self.close_connection = True

    def hanging(self, _: bytes) -> None:
        self.server.released.wait()
        self.close_connection = True

    def silent(self, content: bytes) -> None:
        """The header comes, the body does not."""
        self.head(200, len(content))
        self.wfile.flush()
        self.hanging(content)

    def dripping(self, content: bytes) -> None:
        self.head(200, len(content))
        self._drip()

    def header(self, _: bytes) -> None:
        """Drips before the header is at its end."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
        self._drip()

    def chunked(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(content), 1000):
            part = content[start : start + 1000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def leaving(self, content: bytes) -> None:
        """Closes the connection and does not say so, as a server does that tires of waiting."""
        self.head(200, len(content))
        self.wfile.write(content)
        self.close_connection = True

    def closing(self, content: bytes) -> None:
        self.answer(200, content, connection="close")

    TROUBLES: ClassVar = {
        method.__name__: method for method in (elsewhere, broken, hanging, silent, dripping, header, chunked, leaving, closing)
    }

    def _drip(self) -> None:
        while not self.server.released.wait(0.02):
            self.wfile.write(b"x")
            self.wfile.flush()
        self.close_connection = True

    def head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, status: int, content: bytes, type_: str = "text/plain", **headers: str) -> None:
        self.head(status, len(content), **{"Content-Type": type_}, **headers)
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def troublesome_image_server() -> Iterator[TroublesomeServer]:
    """A server for one test."""
    with TroublesomeServer() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
