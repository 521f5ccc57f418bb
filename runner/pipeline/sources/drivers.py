"""fsspec's drivers: which there are, the options they get, and which package brings one that is missing."""

from __future__ import annotations

import copy
from typing import Any

from runner.errors import ConfigurationError
from runner.secrets import masked

# What this program's extras bring, by protocol.
_EXTRAS = {
    "http": ("url", "aiohttp"), "https": ("url", "aiohttp"),
    "s3": ("s3", "s3fs"), "s3a": ("s3", "s3fs"),
    "gs": ("gs", "gcsfs"), "gcs": ("gs", "gcsfs"),
}  # fmt: skip

# botocore lets ten connections live at a time, and aiohttp a hundred: fewer than there may be workers.
_CONNECTIONS = 4096

# Characters of an address in a message.
_SHOWN = 200


def driver_class(url: str, protocol: str) -> Any:
    """Fsspec's class for a protocol; it starts nothing.

    Raises:
        ConfigurationError: there is none, or the package that it takes is not installed.
    """
    import fsspec

    try:
        return fsspec.get_filesystem_class(protocol)
    except ValueError as error:
        accepted = "one of " + ", ".join(sorted(fsspec.available_protocols()))
        shown, reason = masked(url)[:_SHOWN], f"there is no protocol {protocol[:_SHOWN]}"
        raise ConfigurationError("source.url", shown, reason, accepted) from error
    except ImportError as error:
        if protocol in _EXTRAS:
            extra, package = _EXTRAS[protocol]
            reason, accepted = (
                f"{protocol} takes {package}, which is not installed",
                f"pip install 'image-pipeline-runner[{extra}]'",
            )
        else:
            reason, accepted = f"{protocol} takes a package that is not installed", str(error)
        raise ConfigurationError("source.url", masked(url)[:_SHOWN], reason, accepted) from error


def options_for(protocols: list[str], options: dict[str, Any], timeout_s: float, proxy: str | None = None) -> dict[str, Any]:
    """The options with which fsspec opens an address with these protocols, the innermost first.

    A mapping under the name of a protocol is for that protocol alone. Retries are this program's: the drivers' own are switched off.
    """
    import fsspec

    known = set(fsspec.available_protocols())
    chosen = {
        name: value
        for name, value in copy.deepcopy(options).items()
        if not (name in known and isinstance(value, dict)) or name in protocols
    }
    for protocol in protocols:
        own = chosen.setdefault(protocol, {})
        if protocol in {"s3", "s3a"}:
            # One request an object: s3fs would ask for its size first, to read a large one in parts.
            own.setdefault("max_concurrency", 1)
            once = {"retries": {"total_max_attempts": 1}, "connect_timeout": timeout_s, "read_timeout": timeout_s}
            own["config_kwargs"] = once | {"max_pool_connections": _CONNECTIONS} | own.get("config_kwargs", {})
        elif protocol in {"http", "https"}:
            own.setdefault("get_client", _client)
            if proxy is not None:
                own.setdefault("proxy", proxy)
    return chosen


async def _client(**options: Any) -> Any:
    """Aiohttp's session, with as many connections as are asked for."""
    import aiohttp

    options.pop("loop", None)  # it is the running one
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_CONNECTIONS), **options)
