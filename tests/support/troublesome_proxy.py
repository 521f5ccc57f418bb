"""An HTTP server in front of another, which goes wrong after some requests."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class TroublesomeProxy:
    """Passes ``good`` requests on to ``target``; from then on it drops them, answers 500, or does not answer.

    Attributes:
        requests: how many have come.
        trouble: is set when the first has gone wrong.
    """

    def __init__(self, target: str, good: int, then: str) -> None:
        proxy, where = self, urlsplit(target)
        self.requests, self.trouble, self._release, self._count = 0, threading.Event(), threading.Event(), threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with proxy._count:
                    proxy.requests += 1
                    bad = proxy.requests > good and not proxy._release.is_set()
                if not bad:
                    self._pass_on(body)
                    return
                proxy.trouble.set()
                if then == "500":
                    self.send_error(500)
                elif then == "hang":
                    proxy._release.wait(60)
                self.close_connection = True

            def _pass_on(self, body: bytes) -> None:
                assert where.hostname is not None
                connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key not in {"Host", "Connection"}}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in {"transfer-encoding", "connection", "content-length"}:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
                connection.close()

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815  (names that http.server looks for)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.uri = f"http://127.0.0.1:{self._server.server_port}"

    def mend(self) -> None:
        """Go on as if nothing had been."""
        self._release.set()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._release.set()
        self._server.shutdown()
        self._server.server_close()
