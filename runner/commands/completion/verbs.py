"""The words that each command takes, as a file: a shell that completes them must not wait until the commands' modules are loaded.

``make table`` writes it again, from the commands' own parsers.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TypedDict, cast

_PATH = Path(__file__).with_name("verbs.json")

# What stands for the names of files and folders, and for overrides.
FILES, KEYS_AND_VALUES = "files", "key=value"


class Flag(TypedDict):
    """A flag: what it means, what its next word is (``nothing``, ``files``, ``a value``), and the values it can be."""

    doc: str
    takes: str
    values: list[str]


class Verb(TypedDict):
    """A command: what it is for, its flags, what its other words are, and the values they can be."""

    doc: str
    flags: dict[str, Flag]
    words: list[str]
    values: list[str]


@cache
def verbs() -> Mapping[str, Verb]:
    """Every command by its name, as the file has them."""
    return cast("Mapping[str, Verb]", json.loads(_PATH.read_text(encoding="utf-8")))


def verbs_text() -> str:
    """What the file should hold."""
    from importlib import import_module

    from runner.commands.dispatch import VERBS, parser_of

    parsers = {name: parser_of(name, import_module(f"runner.commands.{name}")) for name in VERBS}
    return json.dumps({name: _verb(VERBS[name], parser) for name, parser in parsers.items()}, indent=1) + "\n"


def write_verbs() -> None:
    """Write the file anew."""
    _PATH.write_text(verbs_text(), encoding="utf-8", newline="\n")


def _verb(doc: str, parser: argparse.ArgumentParser) -> Verb:
    actions = parser._actions  # noqa: SLF001  (argparse has no other way to its arguments)
    flags = {name: _flag(action) for action in actions for name in action.option_strings}
    plain = [action for action in actions if not action.option_strings]
    kinds = [
        FILES if _names_files(action) else KEYS_AND_VALUES
        for action in plain
        if _names_files(action) or action.metavar == KEYS_AND_VALUES
    ]
    return {
        "doc": doc,
        "flags": flags,
        "words": kinds,
        "values": [str(one) for action in plain for one in action.choices or ()],
    }


def _flag(action: argparse.Action) -> Flag:
    takes = "nothing" if action.nargs == 0 else FILES if _names_files(action) else "a value"
    return {"doc": (action.help or "").replace("%%", "%"), "takes": takes, "values": [str(one) for one in action.choices or ()]}


def _names_files(action: argparse.Action) -> bool:
    return action.type is Path or action.metavar in {"FILE", "FOLDER", "TARGET"}
