"""The addresses in ``source.url``, checked without any request."""

from __future__ import annotations

import re
from typing import Any

from runner.errors import ConfigurationError
from runner.secrets import masked

ACCEPTED = (
    "an address such as https://host/a.jpg, a list of them, a pattern with *, a folder ending in / or a listing ending in .txt"
)

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
