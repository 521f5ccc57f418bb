"""Reads images by their addresses, in a worker: one file system for each place that they lie in, shared by all threads.

fsspec's asynchronous drivers run in a thread of their own, which does not live through a fork: nothing here exists before a reader is
made, and that is after workers have been forked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import sleep
from typing import Any, TypeVar

from runner.config.options import Url
from runner.errors import ConfigurationError
from runner.pipeline.proxies import Proxies
from runner.pipeline.retry import Attempts
from runner.pipeline.sources.addresses import Address
from runner.pipeline.sources.drivers import driver_class, options_for
from runner.pipeline.sources.failures import AnswerError, TooLargeError, pause_after
from runner.pipeline.sources.http_client import HttpClient, RedirectedError
from runner.pipeline.sources.image import Image

T = TypeVar("T")

# How many times as long as an image a listing may take.
_LISTING = 10

# Where a read cannot hang, so that no thread is needed to give up on it.
_HERE = {"file", "local", "memory", "zip", "tar", "libarchive"}


class UrlReader:
    """Reads from anywhere that fsspec reaches, with the timeout, the retries and the limit of ``config``."""

    def __init__(self, config: Url) -> None:
        self._config = config
        self._plain = HttpClient(config.timeout_s, config.max_bytes) if not config.options else None
        self._proxies = Proxies()
        self._lock = threading.Lock()
        self._file_systems: dict[tuple[Any, ...], Any] = {}

    def read(self, image: Image) -> bytes:
        return self.fetch(image.path)

    def fetch(self, url: str) -> bytes:
        """The bytes at ``url``.

        Raises:
            ImageNotFetched: they cannot be had.
        """
        attempts = Attempts(self._config.retries)
        while True:
            try:
                return self._once(url)
            except Exception as error:  # drivers raise what they like
                sleep(pause_after(error, attempts, url, self._config.timeout_s))

    def file_system(self, address: Address) -> tuple[Any, str]:
        """Fsspec's file system for an address, shared by all addresses that it serves, and the path within it."""
        cls = driver_class(str(address), address.protocol)
        proxy = self._proxy_of(address)
        key = (address.protocol, address.outer, proxy, *sorted(cls._get_kwargs_from_urls(address.inner).items()))
        with self._lock:
            if key not in self._file_systems:
                self._file_systems[key] = bounded(lambda: _opened(address, self._config, proxy), self._config.timeout_s)
        return self._file_systems[key], cls._strip_protocol(address.inner)

    def listing(self, address: Address) -> tuple[Any, str]:
        """As ``file_system``, to look around in: each question has its time."""
        file_system, path = self.file_system(address)
        return _Bounded(file_system, self._config.timeout_s * _LISTING), path

    def close(self) -> None:
        if self._plain is not None:
            self._plain.close()
        self._file_systems.clear()

    def _proxy_of(self, address: Address) -> str | None:
        """The proxy for the part of an address that is a web server's; None where no part is, or it is reached directly."""
        parts = (part for part in str(address).split("::") if part.lower().startswith(("http://", "https://")))
        return next(map(self._proxies.of, parts), None)

    def _once(self, url: str) -> bytes:
        if self._plain is not None and HttpClient.takes(url):
            try:
                return self._plain.get(url)
            except RedirectedError:
                pass  # fsspec follows
        address, limit = Address.of(url), self._config.max_bytes
        file_system, path = self.file_system(address)
        if file_system.async_impl:
            from fsspec.asyn import sync

            return bytes(sync(file_system.loop, fetched, file_system, path, limit, timeout=self._config.timeout_s))

        def read() -> bytes:
            return limited(file_system.cat_file(path, start=0, end=limit + 1), limit)

        return read() if _HERE.issuperset(address.protocols) else bounded(read, self._config.timeout_s)


class AsyncUrlReader(UrlReader):
    """Reads in the running event loop too, with the driver's own asynchronous calls where it has them."""

    def __init__(self, config: Url) -> None:
        super().__init__(config)
        self._opening: dict[tuple[Any, ...], asyncio.Future[Any]] = {}

    async def read_async(self, image: Image) -> bytes:
        """As ``read``, without holding up the event loop; it is to be the same loop each time."""
        url = image.path
        address = Address.of(url)
        if not can_wait(address):
            return await asyncio.to_thread(self.read, image)
        attempts = Attempts(self._config.retries)
        while True:
            try:
                return await asyncio.wait_for(self._once_async(address), self._config.timeout_s)
            except Exception as error:
                await asyncio.sleep(pause_after(error, attempts, url, self._config.timeout_s))

    async def close_async(self) -> None:
        """Close what ``read_async`` has opened, in the loop that it was called in."""
        for opening in self._opening.values():
            file_system = await opening
            client = getattr(file_system, "_s3", None) or getattr(file_system, "_session", None)
            leave = getattr(client, "__aexit__", None)
            if leave is not None:
                await leave(None, None, None)
        self._opening.clear()

    async def _once_async(self, address: Address) -> bytes:
        cls = driver_class(str(address), address.protocol)
        proxy = self._proxy_of(address)
        key = (address.protocol, proxy, *sorted(cls._get_kwargs_from_urls(address.inner).items()))
        if key not in self._opening:  # those that come while it is being opened wait for the same one
            self._opening[key] = asyncio.ensure_future(_opened_async(address, self._config, proxy))
        try:
            file_system = await asyncio.shield(self._opening[key])
        except Exception:
            self._opening.pop(key, None)
            raise
        return await fetched(file_system, cls._strip_protocol(address.inner), self._config.max_bytes)


def can_wait(address: Address) -> bool:
    """Whether its driver is there, and has asynchronous calls."""
    try:
        return not address.outer and bool(driver_class(str(address), address.protocol).async_impl)
    except ConfigurationError:
        return False


def _opened(address: Address, config: Url, proxy: str | None) -> Any:
    from fsspec.asyn import sync
    from fsspec.core import url_to_fs

    options = options_for(address.protocols, config.options or {}, config.timeout_s, proxy)
    file_system, _ = url_to_fs(str(address), skip_instance_cache=True, **options)
    if hasattr(file_system, "set_session"):
        # Now, because threads that are first at the same time would open one each.
        sync(file_system.loop, file_system.set_session, timeout=config.timeout_s)
    return _once_each(file_system)


async def _opened_async(address: Address, config: Url, proxy: str | None) -> Any:
    from fsspec.core import url_to_fs

    options = options_for(address.protocols, config.options or {}, config.timeout_s, proxy)
    loop = asyncio.get_running_loop()
    file_system, _ = url_to_fs(str(address), skip_instance_cache=True, asynchronous=True, loop=loop, **options)
    if hasattr(file_system, "set_session"):
        await file_system.set_session()
    return _once_each(file_system)


def _once_each(file_system: Any) -> Any:
    if isinstance(getattr(file_system, "retries", None), int):
        file_system.retries = 1  # s3fs and gcsfs try again by themselves, with pauses of their own
    return file_system


async def fetched(file_system: Any, path: str, limit: int) -> bytes:
    """The bytes at ``path`` of a file system with asynchronous calls.

    Raises:
        OSError: they cannot be had, or are more than ``limit``.
    """
    if hasattr(file_system, "encode_url"):  # HTTP
        # A limit by a range would take a question for the size first, and servers may take no notice of ranges.
        session = await file_system.set_session()
        async with session.get(file_system.encode_url(path), **file_system.kwargs) as answer:
            if answer.status >= 400:
                raise AnswerError(answer.status, answer.reason or "")
            if (answer.content_length or 0) > limit:
                raise TooLargeError(limit)
            parts, size = [], 0
            async for part in answer.content.iter_any():
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise TooLargeError(limit)
            return b"".join(parts)
    return limited(await file_system._cat_file(path, start=0, end=limit + 1), limit)  # noqa: SLF001


def limited(data: bytes, limit: int) -> bytes:
    """``data``, unless it is longer than ``limit``."""
    if len(data) > limit:
        raise TooLargeError(limit)
    return data


def bounded(call: Callable[[], T], timeout_s: float) -> T:
    """What ``call`` returns, or a TimeoutError; a call that hangs is left to itself."""
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=work, name="fetch", daemon=True).start()
    return answer.result(timeout_s)


class _Bounded:
    """A file system whose every call has its time."""

    def __init__(self, file_system: Any, timeout_s: float) -> None:
        self._file_system = file_system
        self._timeout_s = timeout_s

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._file_system, name)
        return lambda *arguments, **named: bounded(lambda: method(*arguments, **named), self._timeout_s)
