"""Secrets that this process has seen: they are masked wherever they turn up, such as in a message of a library's that has no address around them."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterable, Iterator
from functools import cache
from urllib.parse import quote, quote_plus, unquote

from runner.secrets.names import is_secret

# Shorter ones could be parts of ordinary words; so could pieces of a secret, which is cut where libraries cut addresses.
_SHORTEST, _SHORTEST_PIECE = 8, 6
_CUTS = re.compile(r"[/?#\s'\"@:]+")

# Variables that say where something lies, which is no secret.
_OF_PLACES = re.compile(r"(_FILE|_PATH|_DIR|_CREDENTIALS|^(OLD)?PWD)$", re.IGNORECASE)

_learnt: set[str] = set()


def learn(secrets: Iterable[str]) -> None:
    """Mask these from now on, as they are and as addresses and headers have them."""
    new = {form for secret in secrets for form in (_forms(secret) if secret not in _learnt else ())}
    if not new <= _learnt:
        _learnt.update(new)
        _pattern.cache_clear()


def learnt() -> tuple[str, ...]:
    """What this process has learnt, for another one to learn."""
    return tuple(_learnt)


def known() -> re.Pattern[str] | None:
    """What matches any of the secrets; None if there are none."""
    return _pattern()


@cache
def _pattern() -> re.Pattern[str] | None:
    forms = _learnt.union(
        *(_forms(value) for name, value in os.environ.items() if is_secret(name) and not _OF_PLACES.search(name))
    )
    longest_first = sorted(forms, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, longest_first))) if longest_first else None


def _forms(secret: str) -> Iterator[str]:
    if len(secret) < _SHORTEST or secret.startswith("***") or "${" in secret:
        return
    plain = unquote(secret)
    for form in {secret, plain, quote(plain), quote(plain, safe=""), quote_plus(plain)}:
        yield form
        yield base64.b64encode(form.encode(errors="replace")).decode()
        yield repr(form)[1:-1]
    pieces = _CUTS.split(secret.partition(":")[2] or secret)
    if len(pieces) > 1:
        yield from (piece for piece in pieces if len(piece) >= _SHORTEST_PIECE)
