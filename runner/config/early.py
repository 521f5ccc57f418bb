"""Refuses words of the command line that are wrong by themselves, before Hydra is loaded.

Hydra composes a configuration twice for a run, and more often for a sweep, before any value is checked. Words other than ``key=value``
with plain values are left to Hydra.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

from runner.config.fields import Rule
from runner.config.messages import accepted_by, no_such_option, unknown_key
from runner.config.options import Config
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, default_of, file_of, files_of, options, text_of
from runner.errors import ConfigurationError

# With these flags, other files or other programs decide what a word means.
_OTHER_MEANING = ("-c", "--config", "-s", "--shell", "hydra.searchpath")

# A key of this program, and values that stand for themselves in Hydra's grammar.
_WORD = re.compile(r"(?P<key>\w+(\.\w+)?)=(?P<values>[\w.+/-]+(,[\w.+/-]+)*)")
_TRUTH_VALUES = frozenset({"y", "yes", "n", "no", "on", "off"})
_NUMBER = re.compile(r"[+-]?\d{1,18}(?P<fraction>\.\d{0,18})?")


def refuse_early(words: Sequence[str]) -> None:
    """Check each word by itself, and a field of an option against the chosen option, unless a preset could choose another option.

    Raises:
        ConfigurationError: a key or a field is unknown, a group has no such option, a choice or a path does not exist, or a number is none or is outside its rule.
    """
    if any(word.startswith(_OTHER_MEANING) for word in words):
        return
    chosen = {match["key"]: match["values"].split(",") for word in words if (match := _WORD.fullmatch(word)) is not None}
    wrong = (_wrong_with(key, values, chosen) for key, values in chosen.items() if key.partition(".")[0] != "hydra")
    for error in filter(None, wrong):
        raise error


def _wrong_with(key: str, values: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> ConfigurationError | None:
    if key in GROUPS or key == EXPERIMENT:
        known = files_of(EXPERIMENT) if key == EXPERIMENT else options()[key]
        wrong = next((value for value in values if value not in known and value != "null"), None)
        return _several_sweeps(key, values) if wrong is None else no_such_option(key, wrong)
    if "." in key:
        return None if EXPERIMENT in chosen else _wrong_field(key, values, chosen)
    return _wrong_number(key, values, Config, key) if key in KEYS else unknown_key(key, ",".join(values), None)


def _several_sweeps(key: str, values: Sequence[str]) -> ConfigurationError | None:
    """The error for several presets of which one is a sweep itself: its values would be left out."""
    sweeps = sweeps_among(values) if key == EXPERIMENT and len(values) > 1 else []
    if not sweeps:
        return None
    reason = f"{sweeps[0]} is a sweep by itself, and its points would be left out"
    return ConfigurationError(key, ",".join(values), reason, "one preset of a sweep at a time, or presets of single points")


def sweeps_among(presets: Sequence[str]) -> list[str]:
    """Those of the presets that are sweeps by themselves."""
    paths = [path for name in presets if (path := file_of(EXPERIMENT, name)) is not None]
    return [path.stem for path in paths if re.search(r"^\s+sweeper:", text_of(path), re.MULTILINE)]


def _wrong_field(key: str, values: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> ConfigurationError | None:
    """What is wrong with a field of the chosen option; None if nothing is. An unknown group is left to Hydra."""
    group, _, field = key.partition(".")
    kinds = options().get(group, {})
    for name in chosen.get(group, [default_of(group)]):
        kind = kinds.get(name)
        if kind is None:
            return None
        if field not in {spec.name for spec in dataclasses.fields(kind)}:
            return unknown_key(key, ",".join(values), kind)
        for look in (_no_such_choice, _wrong_number, _not_there):
            if (wrong := look(key, values, kind, field)) is not None:
                return wrong
    return None


def _no_such_choice(key: str, values: Sequence[str], owner: type[Any], field: str) -> ConfigurationError | None:
    """The first of ``values`` that is a word and none of the field's, where its type is an enumeration."""
    kind = get_type_hints(owner)[field]
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        return None
    wrong = next((value for value in values if value.isidentifier() and value not in kind.__members__), None)
    return None if wrong is None else ConfigurationError(key, wrong, "is not accepted", accepted_by(owner, field))


def _not_there(key: str, values: Sequence[str], owner: type[Any], field: str) -> ConfigurationError | None:
    """The error for the first of ``values`` that is a path of which there is no file or folder."""
    accepted = next(spec.metadata["must_exist"] for spec in dataclasses.fields(owner) if spec.name == field)
    wrong = None if accepted is None else next((value for value in values if not Path(value).exists()), None)
    return None if wrong is None else ConfigurationError(key, wrong, "does not exist", accepted)


def _wrong_number(key: str, values: Sequence[str], owner: type[Any], field: str) -> ConfigurationError | None:
    """The error for the first of ``values`` that is a text where the field's type is a number or a truth value, or a number that breaks its rule."""
    kind = get_type_hints(owner)[field]
    number = next((one for one in (int, float) if kind in {one, one | None}), None)
    rule: Rule = next(spec.metadata["rule"] for spec in dataclasses.fields(owner) if spec.name == field)
    for value in values:
        if _is_text(value) and (number is not None or (kind is bool and value.lower() not in _TRUTH_VALUES)):
            return ConfigurationError(key, value, "is not accepted", accepted_by(owner, field))
        if rule.word is not None and _is_text(value) and rule.broken_by(value):
            return ConfigurationError(key, value, "is out of range", accepted_by(owner, field))
        match = _NUMBER.fullmatch(value)
        if match is None or number is None or (number is int and match["fraction"] is not None):
            continue
        if rule.broken_by(number(value)):
            return ConfigurationError(key, number(value), "is out of range", accepted_by(owner, field))
    return None


def _is_text(value: str) -> bool:
    """Whether Hydra reads neither a number nor a constant from ``value``, and no number can be made from its text."""
    try:
        float(value)
    except ValueError:
        return value.lower() not in {"null", "true", "false"}
    return False
