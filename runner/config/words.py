"""Words of a command line as a shell hands them over, made into words that Hydra reads.

Hydra's grammar knows no blank before a bracket, no second ``=``, no ``~``, no letter beyond ASCII. Where such a word can mean only one thing,
a text for a key that takes a text, it is quoted.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, get_type_hints

from runner.config.options import Config
from runner.config.registry import options

_WORD = re.compile(r"(?P<before>[+~]*)(?P<key>[A-Za-z_][\w./@-]*)=(?P<value>.*)", re.DOTALL)

# What every value may have; the grammar is not asked then.
_PLAIN = re.compile(r"[A-Za-z0-9_./+:-]*")

# The beginning of a list or a mapping, which is not to become a text.
_NESTED = ("[", "{")

# A comma between values of a sweep; those within parentheses are none: lognormal(0.1,0.2).
_BETWEEN = re.compile(r",(?![^()]*\))")
_TEXTS = (str, str | None, Any)
_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
_MULTIRUN = ("-m", "--multirun")


def as_hydra_reads(words: Sequence[str]) -> list[str]:
    """The flags first, because Hydra refuses choices on both sides of one; then the choices, quoted where they have to be."""
    flags, choices = _divided(words)
    swept = any(word in flags for word in _MULTIRUN)
    return [*flags, *(quoted_if_needed(word, swept=swept) for word in choices)]


def quoted_if_needed(word: str, *, swept: bool = False) -> str:
    """The word, with its text in quotes where Hydra could not read it, or would take the path of a file that is there for something else.

    Args:
        word: as typed.
        swept: whether commas stand between values.
    """
    match = _WORD.fullmatch(word)
    if match is None or _PLAIN.fullmatch(match["value"]) or match["key"] not in _text_keys():
        return word
    before, value = f"{match['before']}{match['key']}=", match["value"]
    must_exist = _text_keys()[match["key"]]
    if must_exist and os.path.exists(os.path.expanduser(value)) and (not swept or not _is_readable(word)):  # noqa: PTH110, PTH111
        return before + _quoted(value)
    if _is_readable(word) or value.startswith(_NESTED):
        return word
    parts = _BETWEEN.split(value) if swept else [value]
    return before + ",".join(part if _is_readable(before + part) else _quoted(part) for part in parts)


def how_to_quote(words: Sequence[str]) -> tuple[str, str, str] | None:
    """Key and value of the first word that Hydra cannot read, and the word as it could be typed; None if it can read all."""
    for word in words:
        if (match := _WORD.fullmatch(word)) is not None and not _is_readable(word):
            double = '"' + match["value"].replace("\\", "\\\\").replace('"', r"\"") + '"'
            return match["key"], match["value"], shlex.quote(f"{match['before']}{match['key']}={double}")
    return None


def config_folder(words: Sequence[str]) -> str | None:
    """The folder of configuration files that ``--config-dir`` names."""
    flags, _ = _divided(words)
    values = dict(_with_values(flags))
    return values.get("--config-dir") or values.get("-cd")


def _with_values(flags: Sequence[str]) -> Iterator[tuple[str, str]]:
    for flag, following in zip_longest(flags, flags[1:], fillvalue=""):
        name, equals, value = flag.partition("=")
        yield name, value if equals else following


def _divided(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The flags, each followed by its value where it takes one, and the other words."""
    takes = _flags_with_values()
    flags: list[str] = []
    choices: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("-"):
            choices.append(word)
            continue
        flags.append(word)
        accepted = takes.get(word, ())
        if left and (accepted is None or left[0] in accepted):
            flags.append(left.pop(0))
    return flags, choices


@cache
def _flags_with_values() -> dict[str, Sequence[str] | None]:
    """Hydra's flags that take a value, each with the values that it can have; None for any."""
    from hydra._internal.utils import get_args_parser

    actions: list[argparse.Action] = get_args_parser()._actions  # noqa: SLF001  (there is no public list of them)
    takes: dict[str, Sequence[str] | None] = {"--allow": None}
    for action in actions:
        if action.nargs != 0:
            choices = None if action.choices is None else [str(choice) for choice in action.choices]
            takes |= dict.fromkeys(action.option_strings, choices)
    return takes


@cache
def _text_keys() -> dict[str, bool]:
    """The dotted names of the keys that take a text, and whether it is the path of something that must exist."""
    owners: list[tuple[str, Any]] = [("", Config)]
    owners += [(f"{group}.", kind) for group, kinds in options().items() for kind in kinds.values()]
    return dict.fromkeys(_FOLDERS, False) | {
        f"{prefix}{spec.name}": bool(spec.metadata.get("must_exist"))
        for prefix, owner in owners
        for spec in dataclasses.fields(owner)
        if get_type_hints(owner)[spec.name] in _TEXTS and spec.name not in {"name", "resume"}
    }


def _is_readable(word: str) -> bool:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    return True


def _quoted(text: str) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    return str(QuotedString(text=text, quote=Quote.single).with_quotes())
