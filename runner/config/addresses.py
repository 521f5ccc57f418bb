"""The addresses in ``source.url``, checked without any request."""

from __future__ import annotations

import re
from typing import Any

from runner.errors import ConfigurationError
from runner.secrets import masked

ACCEPTED = (
    "an address such as https://host/a.jpg, a list of them, a pattern with *, a folder ending in / or a listing ending in .txt"
)

# File systems of fsspec that do more than read: they evaluate templates, or write what they read where their options say.
_EVALUATED = frozenset({"reference", "filecache", "simplecache", "blockcache", "cached"})
_LOCAL = frozenset({"file", "local", "zip", "tar", "memory", "data"})

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://.+", re.IGNORECASE | re.DOTALL)


def given(value: Any) -> list[str]:
    """``source.url`` as a list of addresses.

    Raises:
        ConfigurationError: it is neither.
    """
    entries = value if isinstance(value, list) else [value]
    for entry in entries:
        if not isinstance(entry, str) or not ADDRESS.fullmatch(entry):
            raise ConfigurationError("source.url", masked(str(entry)), "is not an address", ACCEPTED)
    if not entries:
        raise ConfigurationError("source.url", "[]", "has no address in it", ACCEPTED)
    return entries


def protocols_of(address: str) -> list[str]:
    """The protocols of all parts of an address, such as ``zip://a.jpg::s3://bucket/a.zip``, or of any of ``a,b``; of a local path, ``file``."""
    parts = [part.strip(" '\"[]") for part in re.split(r"::|,(?=\s*['\"]?\w[\w+.-]*://)", address)]
    return [part.partition("://")[0].lower() if "://" in part else _without_slashes(part) for part in parts]


def _without_slashes(part: str) -> str:
    """A part without ``://``: the name of a file system by itself, as in ``simplecache::http://host/a``, or a local path."""
    return part.lower() if part.lower() in _EVALUATED else "file"


def is_local(address: str) -> bool:
    """Whether an address is on this machine in all its parts, in archives too."""
    return _LOCAL.issuperset(protocols_of(address))


def refuse_evaluated(key: str, address: str) -> None:
    """Refuse an address that would be evaluated, or copied to where somebody says.

    Raises:
        ConfigurationError: it has such a protocol.
    """
    for protocol in protocols_of(address):
        if protocol in _EVALUATED:
            reason = f"{protocol} evaluates what it reads, or writes it to this machine"
            raise ConfigurationError(key, masked(address), reason, "the address itself, without " + protocol)
