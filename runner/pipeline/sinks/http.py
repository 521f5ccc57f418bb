"""``sink=http``: each result is sent to a server."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import urllib3
from urllib3.util import Timeout, make_headers, parse_url

from runner.config.options import Payload, ToHttp
from runner.errors import SinkError, first_line
from runner.pipeline.arrays import array_bytes, array_digest
from runner.pipeline.proxies import Proxies
from runner.pipeline.receipts import Ledger, Receipt, fingerprint
from runner.pipeline.receipts import Payload as Body
from runner.pipeline.retry import MayPass, retried
from runner.pipeline.servers.receiver import Receiver
from runner.pipeline.sinks.delivery import Delivery, Sent, delivery_from_arrivals, unchecked

# The statuses after which another attempt may do better; so may any 5xx.
_MAY_PASS = {408, 429}

# An answer's body is dropped; at most so many bytes of it are read, so that the connection can be used again.
_READ_BYTES = 65536

# As many connections are kept as there may be threads.
_CONNECTIONS = 4096

# The size of the digest that a server may give of a body, in the header X-Digest.
_DIGEST_BYTES = 16


class HttpSink:
    """Sends to ``config.url``, which the destination has set, over connections that are kept."""

    def __init__(self, config: ToHttp, array: Callable[[Any], Any]) -> None:
        assert config.url is not None  # noqa: S101  (the destination has set it)
        self._array = array
        self._payload = config.payload
        self._retries = config.retries
        self._timeout_s = config.timeout_s
        self._ledger = Ledger()
        self._epoch = "0"
        url = parse_url(config.url)
        self._shown = f"{url.scheme}://{url.netloc}{url.path or ''}"  # no password, no query
        self._headers = {"User-Agent": "image-pipeline-runner", **(make_headers(basic_auth=url.auth) if url.auth else {})}
        self._pool, self._target = _connected(config.url, config.timeout_s)

    @staticmethod
    def destination(config: ToHttp, folder: Path, name: str) -> Loopback | Elsewhere:  # noqa: ARG004  (nothing is written)
        return Loopback(config) if config.url is None else Elsewhere(config)

    def begin(self, epoch: int) -> None:
        self._epoch = str(epoch)

    def put(self, result: Any, item: int) -> None:
        array = np.ascontiguousarray(self._array(result))
        body, headers = self._body(array)
        headers |= {
            "X-Item": str(item),
            "X-Epoch": self._epoch,
            "X-Dtype": array.dtype.str,
            "X-Shape": ",".join(map(str, array.shape)),
        }
        mark = fingerprint(item, body)
        try:
            confirmed, repeated = retried(lambda: self._post(body, headers), self._retries)
        except SinkError:
            self._ledger.doubt(item, mark)  # it may have arrived although its answer did not
            raise
        self._ledger.sent(mark, len(body), confirmed=confirmed, repeated=repeated)

    def end(self) -> Receipt:
        return self._ledger.take()

    def close(self) -> None:
        self._pool.close()

    def _body(self, array: Any) -> tuple[Body, dict[str, str]]:
        if self._payload is Payload.array:
            return array_bytes(array), self._headers | {"Content-Type": "application/octet-stream"}
        return array_digest(array).hex().encode(), self._headers | {"Content-Type": "text/plain"}

    def _post(self, body: Any, headers: dict[str, str]) -> bool:
        """One attempt; whether the answer confirmed the body by its digest."""
        try:
            # Without retries it follows no redirection either. A proxy's connection has another host than the address.
            answer = self._pool.urlopen(
                "POST", self._target, body, headers, retries=False, assert_same_host=False, preload_content=False
            )
            try:
                answer.read(_READ_BYTES)
            finally:
                if not answer.closed:  # it has more: the connection is given up
                    answer.close()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            # For urllib3 a refused connection is a timeout, too.
            late = isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError)
            if late and not isinstance(error, urllib3.exceptions.NewConnectionError):
                raise MayPass(f"POST {self._shown}: no answer within {self._timeout_s:g} s") from error
            raise MayPass(f"POST {self._shown}: {_cause(error)}") from error
        if answer.status >= 500 or answer.status in _MAY_PASS:
            raise MayPass(f"POST {self._shown}: status {answer.status}", self._asked_to_wait(answer.headers))
        if not 200 <= answer.status < 300:
            raise SinkError(f"POST {self._shown}: status {answer.status}")
        digest = answer.headers.get("X-Digest")
        if digest is None:
            return False
        if digest.strip().lower() != hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest():
            raise MayPass(f"POST {self._shown}: the answer's X-Digest is not that of the body")
        return True

    def _asked_to_wait(self, headers: Any) -> float:
        after = str(headers.get("Retry-After", ""))
        return min(float(after), self._timeout_s) if after.isdecimal() else 0.0


class Loopback:
    """A receiver that is started for the trial."""

    def __init__(self, config: ToHttp) -> None:
        self._receiver = Receiver(config.latency_s)
        self.config = dataclasses.replace(config, url=self._receiver.url)

    def check(self, sent: Sequence[Sent], items: int) -> Delivery:
        arrived, cpu_s = self._receiver.arrivals()
        delivery = delivery_from_arrivals(sent, arrived, items, "counted by the receiver")
        return dataclasses.replace(delivery, details={"receiver_cpu_s": cpu_s})

    def close(self) -> None:
        self._receiver.close()


class Elsewhere:
    """A server of the user's own: its answers are all there is to go by."""

    def __init__(self, config: ToHttp) -> None:
        self.config = config

    def check(self, sent: Sequence[Sent], items: int) -> Delivery:  # noqa: ARG002  (it cannot be asked what it got)
        receipts = [of_pass.receipt for of_pass in sent]
        if all(receipt.confirmed == receipt.count for receipt in receipts):
            return unchecked(sent, "X-Digest of each answer", checked=True)
        return unchecked(sent, "status of each answer")

    def close(self) -> None:
        """It is not ours."""


def _connected(url: str, timeout_s: float) -> tuple[urllib3.HTTPConnectionPool, str]:
    """Connections to the server of ``url`` or to the proxy that it is reached through, and what is asked for over them."""
    options: dict[str, Any] = {"maxsize": _CONNECTIONS, "timeout": Timeout(timeout_s)}
    parts = parse_url(url)
    proxy = Proxies().of(url)
    if proxy is None:
        return urllib3.connection_from_url(url, **options), parts.request_uri
    user = urlsplit(proxy)
    credentials = None if user.username is None else f"{unquote(user.username)}:{unquote(user.password or '')}"
    manager = urllib3.ProxyManager(proxy, proxy_headers=make_headers(proxy_basic_auth=credentials), **options)
    whole = parts._replace(auth=None, fragment=None).url
    return manager.connection_from_url(url), whole if parts.scheme == "http" else parts.request_uri


def _cause(error: BaseException) -> str:
    """What went wrong, without the objects that urllib3 puts into its messages."""
    while (inner := error.__cause__ or next((part for part in error.args if isinstance(part, Exception)), None)) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return first_line(error)


PROVIDES = HttpSink
