"""Masks what is confidential in any text: a message of a library's, a line of a log, an address."""

from __future__ import annotations

import re

from runner.secrets.known import known
from runner.secrets.names import HARMLESS_FIELDS, MASK, is_secret

# What stands before the last @ of a URL's authority; with Hydra's backslashes or without. Of the scheme, only the end is looked at: a
# long text takes no time then, whatever is in it.
_SCHEME = r"(?P<scheme>[a-z0-9+.-]\\?:\\?//)"
_CREDENTIALS = re.compile(rf"{_SCHEME}[^/\s'\"?#]*@", re.IGNORECASE)

# A password with blanks, quotes, #, ? or / in it: what stands after a colon, up to the last @ before another address or the end of the
# line. A name that looks like a host, with a port behind it, is one.
_HOST_AND_PORT = r"(?!(?:localhost|[^/\s@:'\"]*\.[^/\s@:'\"]*)\\?:\d{1,5}(?:[/?#\s'\"]|$))"
_ODD_CREDENTIALS = re.compile(rf"{_SCHEME}{_HOST_AND_PORT}[^/\s@:\[\\'\"]*\\?:(?:(?!:\\?//)[^\n])*@", re.IGNORECASE)

_QUERY = re.compile(r"(?P<mark>(?<=[^\s?])[?#])(?P<fields>[\w.%~-]+(?:\[\])?\\?=[^\s'\"#<>]*)")
_FIELD = re.compile(r"(?P<name>[\w.%~-]+(?:\[\])?)(?P<equals>\\?=)(?P<value>[^&;]+)")

# A part of an address's path that no person would have made up: 20 and more of large letters, small letters and digits, or 32 of a hash.
_PATH = re.compile(r"(?P<before>[a-z0-9+.-]\\?:\\?//[^/\s'\"]*/|\burl: /)(?P<parts>[^\s'\"?#]*)", re.IGNORECASE)
_TOKEN_PART = re.compile(
    r"(?=[^/]*[a-z])(?=[^/]*[A-Z])(?=[^/]*\d)[\w~=:-]{20,}|[0-9a-f]{32,}|[0-9A-F]{32,}|bot\d{6,}:[\w-]{10,}", re.ASCII
)

# Tokens that are known by their beginning, wherever they stand.
_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{30,}|hf_[A-Za-z0-9]{20,}|sk-[\w-]{20,}|ya29\.[\w-]{16,}|dapi[0-9a-f]{32})",
    re.ASCII,
)
_AUTHORIZATION = re.compile(
    r"(?P<before>authorization['\"]?\s*[:=]\s*b?['\"]?(?:(?:basic|bearer|digest|token)\s+)?|\bbearer\s+)(?P<value>[\w.~+/=-]{6,})",
    re.IGNORECASE,
)

# name=value and 'name': 'value' in messages; an ellipsis, or the word value as in key=value, stands for what the reader has to give.
_NAMED = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)(?P<equals>\\?=['\"]?)(?P<value>(?!\.\.\.|\*\*\*|value(?![\w.~+/-]))[^\s'\",;&)\]}]+)"
)
_QUOTED = re.compile(r"(?P<name>(?P<quote>['\"])[\w.-]+(?P=quote))(?P<equals>\s*:\s*b?)(?P<value>'[^'\n]*'|\"[^\"\n]*\")")

_MARKS = re.compile(r"\*\*\*\d+")


def masked(text: str) -> str:
    """``text`` with what is confidential in it replaced by ``***``.

    That is: what is known to be a secret; user and password of addresses; the values of their queries, but for those of harmless
    names; parts of their paths, and words anywhere, that look like tokens; what stands behind a secret's name.
    """
    if (pattern := known()) is not None:
        text = pattern.sub(MASK, text)
    if "://" in text or "\\://" in text or ":\\//" in text:
        text = _CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
        text = _ODD_CREDENTIALS.sub(rf"\g<scheme>{MASK}@", text)
    if "/" in text:
        text = _PATH.sub(_without_tokens, text)
    if "?" in text or "#" in text:
        text = _QUERY.sub(lambda match: match["mark"] + _FIELD.sub(_without_value, match["fields"]), text)
    text = _AUTHORIZATION.sub(lambda match: match["before"] + MASK, _SHAPES.sub(MASK, text))
    if "=" in text:
        text = _NAMED.sub(lambda match: _hidden(match, match["name"]), text)
    if "':" in text or '":' in text:
        text = _QUOTED.sub(lambda match: _hidden(match, match["name"][1:-1], match["value"][0]), text)
    return _MARKS.sub(MASK, text)


def is_harmless(name: str, value: str) -> bool:
    """Whether a field of a query may be shown."""
    return name.lower() in HARMLESS_FIELDS and not _TOKEN_PART.fullmatch(value)


def _without_value(match: re.Match[str]) -> str:
    return match[0] if is_harmless(match["name"], match["value"]) else f"{match['name']}{match['equals']}{MASK}"


def _without_tokens(match: re.Match[str]) -> str:
    return match["before"] + "/".join(MASK if _TOKEN_PART.fullmatch(part) else part for part in match["parts"].split("/"))


def _hidden(match: re.Match[str], name: str, quote: str = "") -> str:
    return f"{match['name']}{match['equals']}{quote}{MASK}{quote}" if is_secret(name) else match[0]
