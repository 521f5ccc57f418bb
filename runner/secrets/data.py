"""Masks plain data, such as a record or a configuration, and words of a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.secrets.names import CONFIDENTIAL_MAPPINGS, HARMLESS_SETTINGS, MASK, is_secret
from runner.secrets.texts import is_harmless, masked

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\n]*", re.IGNORECASE)
_FIELD = re.compile(r"(?P<name>(?<=[?&;#])[^=&#?;/]+)=(?P<value>[^&#]+)")
_SETTINGS = "source.options"
_QUOTES = "'\""

# A name and a plain value within a mapping on a command line.
_PAIR = re.compile(
    r"(?P<name>[\w.-]+|'[^']*'|\"[^\"]*\")(?P<colon>\s*:\s*)(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,{}\[\]'\"\s][^,{}\[\]]*)"
)
_CONSTANT = re.compile(r"(?i)\s*(true|false|null|[+-]?[\d.]+(e[+-]?\d+)?)\s*")


def masked_data(value: Any) -> Any:
    """Plain data with every text in it masked, and the whole text of what has a secret's name, is a header, or is an unknown setting of a driver."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {key: _masked_member(str(key), inside) for key, inside in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [masked_data(inside) for inside in value]
    return value


def masked_setting(key: str, text: str) -> str:
    """The text that a configuration has for a dotted key."""
    *path, leaf = key.split(".")
    if not CONFIDENTIAL_MAPPINGS.isdisjoint(path) or is_secret(leaf):
        return MASK if text else text
    if key.startswith(f"{_SETTINGS}.") and leaf.lower() not in HARMLESS_SETTINGS:
        return MASK if text else text
    if _ADDRESS.fullmatch(text):  # a value may have a blank or a quote then
        text = _FIELD.sub(lambda one: one[0] if is_harmless(one["name"], one["value"]) else f"{one['name']}={MASK}", text)
    return masked(text)


def masked_override(word: str) -> str:
    """A word of the command line, ``key=value``."""
    before, equals, value = word.partition("=")
    key = before.lstrip("+~").partition("@")[0]
    if not equals or not value:
        return masked(word)
    if key == _SETTINGS or (key.startswith(_SETTINGS) and value.startswith("{")):
        return f"{before}={masked(_masked_pairs(value))}"
    quoting = value[0] if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES else ""
    inner = value[len(quoting) : len(value) - len(quoting)]
    if quoting or not _is_nested(value):
        safe = masked_setting(key, inner)
        return f"{before}={safe if safe == MASK else quoting + safe + quoting}"
    return masked(word)


def _is_nested(value: str) -> bool:
    return value.startswith(("{", "["))


def _masked_member(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return MASK if value and is_secret(key) else masked(value)
    if key in CONFIDENTIAL_MAPPINGS and isinstance(value, Mapping):
        return dict.fromkeys(value, MASK)
    if key == "options" and isinstance(value, Mapping):
        return {name: _masked_settings(str(name), inside) for name, inside in value.items()}
    return masked_data(value)


def _masked_settings(name: str, value: Any) -> Any:
    """A setting of a driver: a text only where its name is known to be harmless."""
    if isinstance(value, Mapping) and name not in CONFIDENTIAL_MAPPINGS:
        return {key: _masked_settings(str(key), inside) for key, inside in value.items()}
    if isinstance(value, str) and name.lower() not in HARMLESS_SETTINGS:
        return MASK if value else value
    return _masked_member(name, value)


def _masked_pairs(text: str) -> str:
    every = any(f"{name}:" in text.replace(" ", "") for name in CONFIDENTIAL_MAPPINGS)

    def safe(pair: re.Match[str]) -> str:
        name, value = pair["name"], pair["value"]
        shown = name.lower() in HARMLESS_SETTINGS or (_CONSTANT.fullmatch(value) and not every)
        return pair[0] if shown else f"{name}{pair['colon']}{MASK}"

    return _PAIR.sub(safe, text)
