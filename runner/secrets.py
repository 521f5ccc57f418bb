"""Passwords and tokens never reach a record, a log, a tag or an artifact: they are masked on the way to all of these."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MASK = "***"

# What stands before the last @ of a URL's authority, and the values of a query; with Hydra's backslashes or without.
# Of the scheme, only the end is looked at: a long text takes no time then, whatever is in it.
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z0-9+.-]\\?://)[^/\s'\"?#]*@", re.IGNORECASE)
_QUERY = re.compile(r"(?<=[?&;])(?P<name>[\w.-]+)(?P<equals>\\?=)(?P<value>[^&\s'\"#;]+)")
_NAME = re.compile(r"[\w.-]+")
_SECRET_NAME = re.compile(
    r"token|secret|signature|passw|passphrase|pwd|credential|authorization|cookie|connection.?string|(^|[_.-])(sig|auth)$|(^|[_.-]|api|access)key(id)?$", re.IGNORECASE
)  # fmt: skip


def is_secret(name: str) -> bool:
    """Whether something of this name (a variable, a key, a query's field) is likely to be a secret."""
    return _NAME.fullmatch(name) is not None and _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """``text`` with the credentials of URLs, and the values of secret fields of their queries, replaced by ``***``."""
    text = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
    return _QUERY.sub(lambda match: f"{match['name']}{match['equals']}{MASK}" if is_secret(match["name"]) else match[0], text)


def masked_data(value: Any) -> Any:
    """Plain data with every text in it masked, and the whole text of what has a secret's name."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {
            key: MASK if isinstance(inside, str) and is_secret(str(key)) else masked_data(inside)
            for key, inside in value.items()
        }
    if isinstance(value, Sequence):
        return [masked_data(inside) for inside in value]
    return value


def masked_override(word: str) -> str:
    """A word of the command line, ``key=value``."""
    key, equals, value = word.partition("=")
    return f"{key}={MASK}" if equals and value and is_secret(key) else masked(word)
