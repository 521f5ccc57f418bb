"""Reads values of a command line and of YAML files that mean the same to Hydra as to anybody; all others are left to Hydra."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runner.config.fields import MISSING

# A value that stands for itself in Hydra's grammar, or one in quotes that holds nothing which means more to Hydra.
_VALUE = r"""(?:[\w.+/:-]+|'[^'\\$\n\r]*'|"[^"\\$\n\r]*")"""

# Such values, separated by commas.
VALUES = rf"{_VALUE}(?:,{_VALUE})*"

# A list of them, which is one value.
LIST = rf"\[(?:{VALUES})?\]"

_QUOTES = ("'", '"')
_TEXT = re.compile(r"[A-Za-z_/][\w./:-]*", re.ASCII)
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,17}", re.ASCII)
_CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}
_NUMBERS_IN_WORDS = frozenset({"nan", "inf"})

# Reads the same values as the slower one, by which Hydra's are made; PyYAML may have been built without it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class LeftToHydraError(Exception):
    """Something that means more than is read here."""


def value_of(text: str) -> Any:
    """The value that Hydra reads from ``text``.

    Raises:
        LeftToHydraError: that depends on more than is known here.
    """
    if text.startswith(_QUOTES) and text[1:-1] != MISSING:
        return text[1:-1]
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _TEXT.fullmatch(text) and text.lower() not in _NUMBERS_IN_WORDS:
        return text
    raise LeftToHydraError


def values_of(text: str) -> list[Any]:
    """The values, separated by commas, over which Hydra sweeps; or one list.

    Raises:
        LeftToHydraError: there are other characters in it.
    """
    if re.fullmatch(LIST, text, re.ASCII) is not None:
        return [[value_of(part) for part in re.findall(_VALUE, text[1:-1], re.ASCII)]]
    if re.fullmatch(VALUES, text, re.ASCII) is None:
        raise LeftToHydraError
    return [value_of(part) for part in re.findall(_VALUE, text, re.ASCII)]


@cache
def content_of(path: Path) -> Mapping[str, Any]:
    """What a YAML file of options holds, read once however many points ask.

    Raises:
        LeftToHydraError: it is no mapping.
    """
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506  (it is a safe one)
    if not isinstance(content, dict):
        raise LeftToHydraError
    return content
