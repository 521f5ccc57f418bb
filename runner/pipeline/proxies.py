"""Through which proxy an address is reached: as ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` say, or the system's settings."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


class Proxies:
    """The proxies of this process, as they are when this is made; looking them up takes longer than a request to loopback."""

    def __init__(self) -> None:
        self._by_scheme = getproxies()

    def of(self, url: str) -> str | None:
        """The address of the HTTP proxy for ``url``, with its credentials if it has any; None where it is reached directly.

        This machine is always reached directly: a proxy would look for the servers of a trial on its own loopback.

        Raises:
            ValueError: the proxy is of another kind, such as SOCKS.
        """
        if not self._by_scheme:
            return None
        parts = urlsplit(url)
        host = parts.hostname or ""
        proxy = self._by_scheme.get(parts.scheme.lower()) or self._by_scheme.get("all")
        if not proxy or _is_this_machine(host) or proxy_bypass(host if parts.port is None else f"{host}:{parts.port}"):
            return None
        if "://" not in proxy:
            proxy = f"http://{proxy}"
        if urlsplit(proxy).scheme != "http":
            raise ValueError(f"a proxy must be an http:// address, and {parts.scheme}_proxy is {urlsplit(proxy).scheme}://")
        return proxy


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
