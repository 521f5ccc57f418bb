"""Choices as a program gives them, written as the words of a command line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.restore import quoted
from runner.errors import ConfigurationError

# A choice that holds no quotes or brackets, within which a space would be one of the value.
_CHOICE = re.compile(r"""[\w.+~/@-]+=[^\s'"\[\]{}()\\]*""")


def words_of(overrides: Sequence[str], choices: Mapping[str, Any], *, swept: bool) -> list[str]:
    """The words for a command line.

    Args:
        overrides: such as ``mode=thread,process``, as typed; one text may hold several, with spaces between them.
        choices: values by their keys. A text is one value, whatever is in it.
        swept: whether a list of values means each of them in turn; otherwise it is one value that is a list.

    Raises:
        ConfigurationError: one is no choice.
    """
    typed = [word for text in overrides for word in _words_in(text)]
    return [*map(_checked, typed), *(f"{key}={_text(key, value, swept=swept)}" for key, value in choices.items())]


def _words_in(text: Any) -> list[Any]:
    """The words of a text; one where a space may belong to a value."""
    parts = text.split() if isinstance(text, str) else []
    return parts if len(parts) > 1 and all(_CHOICE.fullmatch(part) for part in parts) else [text]


def _checked(word: Any) -> str:
    if not isinstance(word, str) or word.startswith("-") or not ("=" in word or word.startswith("~")):
        raise ConfigurationError("overrides", repr(word), "is no choice", "'key=value', such as 'mode=process', or key=value")
    return word


def _text(key: str, value: Any, *, swept: bool) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if hasattr(value, "tolist"):  # NumPy's, and pandas'
        value = value.tolist()
    if not (swept and isinstance(value, Sequence) and not isinstance(value, str)):
        return quoted(key, value)
    if not value:
        raise ConfigurationError(key, value, "has no value", "one or more")
    return ",".join(_text(key, one, swept=False) for one in value)
