"""``source=url``: images from anywhere that fsspec reaches."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from concurrent.futures import Future
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread

from runner.config.addresses import given
from runner.config.options import Url
from runner.errors import ConfigurationError, ImageNotFetched, type_and_first_line
from runner.pipeline.sources.addresses import Address, expanded
from runner.pipeline.sources.drivers import driver_class
from runner.pipeline.sources.fetching import AsyncUrlReader, UrlReader, can_wait
from runner.pipeline.sources.http_client import HttpClient
from runner.pipeline.sources.image import Image, described
from runner.secrets import masked

# How many images are fetched at a time to be inspected.
_INSPECTED_AT_A_TIME = 8


class UrlSource:
    """Addresses, or what stands for addresses."""

    def __init__(self, config: Url) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        """The first ``limit`` images, each fetched once for its header and its digest.

        Raises:
            ConfigurationError: one of them cannot be had.
        """
        self.import_drivers()
        reader = UrlReader(self._config)
        try:
            addresses = self._addresses(reader, limit)
            return _all_inspected(reader, addresses)
        finally:
            reader.close()

    def reader(self) -> UrlReader:
        """What reads them, in a worker; it can be waited for in an event loop where a driver can."""
        addresses = [Address.of(url) for url in given(self._config.url)]
        return AsyncUrlReader(self._config) if any(map(can_wait, addresses)) else UrlReader(self._config)

    def import_drivers(self) -> None:
        """Import the packages that the addresses need: seconds for some, which belong to no image."""
        for url in given(self._config.url):
            for protocol in Address.of(url).protocols:
                try:
                    driver_class(url, protocol)
                except ConfigurationError:
                    if not HttpClient.takes(url):
                        raise

    def _addresses(self, reader: UrlReader, limit: int) -> list[str]:
        entries = given(self._config.url)
        try:
            return list(islice(expanded(entries, reader.listing, reader.fetch), limit))
        except ConfigurationError:
            raise
        except Exception as error:  # drivers raise what they like
            raise _unreachable(", ".join(entries), error) from error


def _all_inspected(reader: UrlReader, addresses: Sequence[str]) -> tuple[Image, ...]:
    """The images, several at a time. The threads hold up nothing: neither an error of another image nor Ctrl-C waits for a server that hangs."""
    left: SimpleQueue[int] = SimpleQueue()
    inspections: list[Future[Image]] = [Future() for _ in addresses]
    for number in range(len(addresses)):
        left.put(number)

    def work() -> None:
        with contextlib.suppress(Empty):
            while True:
                number = left.get_nowait()
                try:
                    inspections[number].set_result(_inspected(reader, addresses[number]))
                except BaseException as error:  # raised where it is waited for
                    inspections[number].set_exception(error)

    for _ in range(min(_INSPECTED_AT_A_TIME, len(addresses))):
        Thread(target=work, name="inspect", daemon=True).start()
    try:
        return tuple(inspection.result() for inspection in inspections)
    finally:
        with contextlib.suppress(Empty):
            while True:
                left.get_nowait()


def _inspected(reader: UrlReader, url: str) -> Image:
    try:
        return described(url, io.BytesIO(reader.fetch(url)))
    except ImageNotFetched as error:
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> ConfigurationError:
    if isinstance(error, ImageNotFetched):
        reason = str(error).partition(", after ")[0]
    elif isinstance(error, TimeoutError):
        reason = "no answer in time"
    else:
        reason = masked(type_and_first_line(error))[:200]
    return ConfigurationError(
        "source.url", masked(url), f"cannot be fetched: {reason}", "an address that answers with an image"
    )


PROVIDES = UrlSource
