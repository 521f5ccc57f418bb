"""From ``source.url`` to the addresses of single images: lists, patterns, folders and listings."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from runner.config.addresses import ADDRESS, is_local, protocols_of, refuse_evaluated
from runner.errors import ConfigurationError
from runner.pipeline.sources.drivers import driver_class
from runner.pipeline.sources.folder import SUFFIXES
from runner.secrets import masked

_ARCHIVES = frozenset({"zip", "tar"})


@dataclass(frozen=True)
class Address:
    """An address, taken apart as fsspec does: ``zip://a.jpg::s3://bucket/a.zip`` is a file in an archive that lies elsewhere.

    Attributes:
        inner: up to the first ``::``, the address within the innermost file system.
        outer: what comes after it, where that file system itself lies; empty for most.
    """

    inner: str
    outer: str

    @classmethod
    def of(cls, text: str) -> Address:
        inner, _, outer = text.partition("::")
        return cls(inner, outer)

    def __str__(self) -> str:
        return f"{self.inner}::{self.outer}" if self.outer else self.inner

    @property
    def protocol(self) -> str:
        return self.inner.partition("://")[0].lower()

    @property
    def protocols(self) -> list[str]:
        """Of all parts; a part without any is a local path."""
        return [part.partition("://")[0].lower() if "://" in part else "file" for part in str(self).split("::")]

    @property
    def many(self) -> bool:
        """Whether it stands for several: a pattern, a folder, or a listing."""
        return "*" in self.inner or self.inner.endswith("/") or self.is_listing

    @property
    def is_listing(self) -> bool:
        return self.inner.partition("?")[0].lower().endswith(".txt")


def expanded(
    entries: list[str], file_system: Callable[[Address], tuple[Any, str]], fetch: Callable[[str], bytes]
) -> Iterator[str]:
    """The address of each image, in the order of ``entries`` and within each in the order of their names.

    Args:
        entries: as ``given`` has them.
        file_system: fsspec's file system for an address, and the path within it.
        fetch: the bytes at an address.

    Raises:
        ConfigurationError: there is nothing where an entry points to, or a listing has something else in it.
    """
    for entry in entries:
        address = Address.of(entry)
        if not address.many:
            yield entry
        elif address.is_listing and "*" not in address.inner:
            yield from _listed(entry, fetch(entry))
        else:
            addresses = sorted(_matching(address, *file_system(address)))
            if not addresses:
                raise ConfigurationError(
                    "source.url", masked(entry), "stands for no image", f"images ending in {', '.join(SUFFIXES)}"
                )
            yield from addresses


def _listed(entry: str, content: bytes) -> Iterator[str]:
    lines = [line.strip() for line in _text(content).split("\n")]
    entries = [(number, line) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]
    if not entries:
        raise ConfigurationError("source.url", masked(entry), "is an empty listing", "one address a line")
    for number, given in entries:
        line = given if ADDRESS.fullmatch(given) else _beside(entry, given)
        if not ADDRESS.fullmatch(line) or Address.of(line).many or (line != given and "::" in given):
            shown = masked(given)[:100]
            reason = f"line {number} is not the address of one image: {shown!r}"
            raise ConfigurationError(
                "source.url",
                masked(entry),
                reason,
                "one address a line, such as https://host/a.jpg, or a path from the listing's folder",
            )
        _refuse_elsewhere(entry, line, number)
        driver_class(line, Address.of(line).protocol)
        yield line


def _refuse_elsewhere(listing: str, line: str, number: int) -> None:
    """Refuse a line of a listing that would be evaluated, or that leads from a server to a file of this machine or to a service of another kind."""
    refuse_evaluated("source.url", line)
    kinds = _kinds_of(line)
    if not is_local(listing) and not kinds <= _kinds_of(listing):
        reason = f"line {number} is no address of the listing's own kind: {masked(line)[:100]!r}"
        accepted = "addresses like the listing's own; or a listing of your own, on this machine"
        raise ConfigurationError("source.url", masked(listing), reason, accepted)


def _kinds_of(address: str) -> set[str]:
    """The protocols of what it is read from, whatever archive it is in; http and https are one."""
    protocols = {protocol.removesuffix("s") if protocol == "https" else protocol for protocol in protocols_of(address)}
    return protocols - _ARCHIVES or protocols


def _beside(listing: str, path: str) -> str:
    """The address of what a listing names by a path: relative to the listing's folder, or on the same server or disk."""
    address = Address.of(listing)
    scheme, _, rest = address.inner.partition("?")[0].partition("://")
    place, _, folder = rest.rpartition("/")[0].partition("/")
    path = path.replace("\\", "/")
    inside = path.lstrip("/") if path.startswith("/") else f"{folder}/{path}".lstrip("/")
    return str(Address(f"{scheme}://{place}/{inside}", address.outer))


def _text(content: bytes) -> str:
    """A text file's content: UTF-8, or what its byte-order mark says, as editors and shells on Windows write it."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if marked else "utf-8-sig", errors="replace")


def _matching(address: Address, file_system: Any, path: str) -> Iterator[str]:
    """The addresses of all files that a pattern fits, or of all images in a folder and below it."""
    if "*" in address.inner:
        names = [name for name, about in file_system.glob(path, detail=True).items() if about["type"] == "file"]
    else:
        # A web server's folder is a page of links: it is not followed from page to page.
        depth = 1 if address.protocol in {"http", "https"} else None
        names = [name for name in file_system.find(path, maxdepth=depth) if name.lower().endswith(SUFFIXES)]
    for name in names:
        yield str(Address(file_system.unstrip_protocol(name), address.outer))
