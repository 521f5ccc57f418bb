"""``source=url``: images from anywhere that fsspec reaches."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

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
            with ThreadPoolExecutor(_INSPECTED_AT_A_TIME, thread_name_prefix="inspect") as pool:
                inspections = [pool.submit(_inspected, reader, url) for url in addresses]
                try:
                    return tuple(inspection.result() for inspection in inspections)
                finally:
                    pool.shutdown(wait=False, cancel_futures=True)
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
