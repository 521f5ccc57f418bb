"""Composes configurations of plain words without Hydra, so that what is wrong with them is refused at once.

Hydra needs a multiple of the time that the rest of a refusal takes. Only words that mean one thing are read here: options of groups, and values
of their fields. Presets, Hydra's own settings, quotes, lists and interpolations are Hydra's. What is composed here is what Hydra composes
(a property test holds the two against each other); it is used for checks, and a run is made of what Hydra composes.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from runner.config.fields import MISSING
from runner.config.messages import missing, several_values
from runner.config.options import Config
from runner.config.registry import GROUPS, KEYS, conf_dir, default_of, file_of, options

_SWEEP = ("-m", "--multirun")

# Of Hydra's settings only these leave a configuration as it is.
_FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir")
_NOT_READ = ("experiment", "resume")

_WORD = re.compile(r"(?P<key>[a-z]\w*(\.\w+)?)=(?P<values>[\w.+/-]+(,[\w.+/-]+)*)", re.ASCII)
_TEXT = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,17}", re.ASCII)
_CONSTANTS: Mapping[str, Any] = {"null": None, "true": True, "false": False}
_HYDRAS_NUMBERS = frozenset({"nan", "inf"})

# The same as Hydra's values, and ten times as fast where PyYAML has it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# A sweep with more points is left to Hydra.
_MOST_POINTS = 2000


class _LeftToHydraError(Exception):
    """Something that means more than is read here."""


def configurations(words: Sequence[str]) -> list[Config] | None:
    """The configuration of each point that the words of a command line describe, in Hydra's order, its rules not checked; None for words that only Hydra reads.

    Raises:
        ConfigurationError: a value that has to be given is not, or a key has several values and no sweep is asked for.
    """
    flags = [word for word in words if word.startswith("-")]
    try:
        if not set(flags) <= set(_SWEEP):
            return None
        choices = _choices([word for word in words if word not in flags])
        several = next(((key, values) for key, values in choices.items() if len(values) > 1), None)
        if several is not None and not flags:
            raise several_values(several[0], ",".join(several[1]))
        if math.prod(map(len, choices.values())) > _MOST_POINTS:
            return None
        return [_composed(dict(zip(choices, values, strict=True))) for values in itertools.product(*choices.values())]
    except _LeftToHydraError:
        return None


def _choices(words: Sequence[str]) -> dict[str, list[str]]:
    """The values of each key, in the order of the words."""
    choices: dict[str, list[str]] = {}
    for word in words:
        if word.partition("=")[0] in _FOLDERS:
            continue
        match = _WORD.fullmatch(word)
        if match is None or match["key"] in choices or match["key"].partition(".")[0] not in KEYS or match["key"] in _NOT_READ:
            raise _LeftToHydraError
        choices[match["key"]] = match["values"].split(",")
    return choices


@dataclass(frozen=True)
class _OptionFile:
    """An option as its YAML file has it.

    Attributes:
        kind: its dataclass.
        values: of its fields.
        others: options of other groups that it chooses, unless the command line chooses.
    """

    kind: type[Any]
    values: Mapping[str, Any]
    others: Mapping[str, str]


def _composed(chosen: Mapping[str, str]) -> Config:
    files = {group: _option_file(group, chosen.get(group, default_of(group))) for group in GROUPS}
    others = {group: name for file in files.values() for group, name in file.others.items() if group not in chosen}
    files |= {group: _option_file(group, name) for group, name in others.items()}
    fields: dict[str, Any] = {}
    for key, value in _yaml(conf_dir() / "config.yaml").items():
        if key in KEYS and key not in GROUPS:
            kind = get_type_hints(Config)[key]
            if dataclasses.is_dataclass(kind):
                fields[key] = _filled(key, kind, value, chosen)
            else:
                fields[key] = _as(kind, _read(chosen[key]) if key in chosen else value)
    return Config(**{group: _filled(group, file.kind, file.values, chosen) for group, file in files.items()}, **fields)


def _option_file(group: str, name: str) -> _OptionFile:
    path, kind = file_of(group, name), options()[group].get(name)
    if path is None or kind is None:
        raise _LeftToHydraError
    content = _yaml(path)
    others: dict[str, str] = {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            ((word, other),) = entry.items()
            if word.removeprefix("override /") not in GROUPS:
                raise _LeftToHydraError
            others[word.removeprefix("override /")] = other
        elif entry not in {f"/schema/{group}/{name}@_here_", f"/schema/{group}/{name}@{group}"}:
            raise _LeftToHydraError
    return _OptionFile(kind, content, others)


def _filled(key: str, kind: Any, values: Mapping[str, Any], chosen: Mapping[str, str]) -> Any:
    """An instance of the dataclass ``kind`` with ``values``, and those that are chosen for its fields.

    Raises:
        ConfigurationError: one that has to be given is not.
    """
    given = {word.removeprefix(f"{key}."): _read(text) for word, text in chosen.items() if word.startswith(f"{key}.")}
    read, hints = {**values, **given}, get_type_hints(kind)
    if not read.keys() <= hints.keys():
        raise _LeftToHydraError
    filled = kind(**{name: value if value == MISSING else _as(hints[name], value) for name, value in read.items()})
    absent = next((spec.name for spec in dataclasses.fields(filled) if getattr(filled, spec.name) == MISSING), None)
    if absent is not None:
        raise missing(f"{key}.{absent}", kind)
    return filled


@cache
def _yaml_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _yaml(path: Path) -> dict[str, Any]:
    content = yaml.load(_yaml_text(path), Loader=_LOADER)  # noqa: S506  (a safe one)
    if not isinstance(content, dict) or any(isinstance(value, str) and "$" in value for value in content.values()):
        raise _LeftToHydraError
    return content


def _read(text: str) -> Any:
    """The value that Hydra reads from a plain word."""
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _WHOLE.fullmatch(text):
        return int(text)
    if _DECIMAL.fullmatch(text):
        return float(text)
    if _TEXT.fullmatch(text) and text.lower() not in _HYDRAS_NUMBERS:
        return text
    raise _LeftToHydraError


def _as(kind: Any, value: Any) -> Any:
    """``value`` as a field of type ``kind`` holds it."""
    if get_origin(kind) is list and isinstance(value, list):
        return [_as(get_args(kind)[0], part) for part in value]
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if value is None and (Any in kinds or NoneType in kinds):
        return None
    if type(value) in kinds:
        return value
    if float in kinds and type(value) is int:
        return float(value)
    if str in kinds and type(value) is int:
        return str(value)
    choices = next((one for one in kinds if isinstance(one, type) and issubclass(one, Enum)), None)
    if choices is not None and isinstance(value, str) and value in choices.__members__:
        return choices[value]
    raise _LeftToHydraError
