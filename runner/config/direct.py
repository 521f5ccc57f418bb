"""Composes configurations of plain words without Hydra, so that what is wrong with them is refused at once.

Hydra needs a multiple of the time that the rest of a refusal takes. Only words that mean one thing are read here: options of groups, values
of their fields, and presets that consist of both. Hydra's own settings, lists within lists and references to other keys are Hydra's. What is
composed here is what Hydra composes (property tests hold the two against each other); it is used for checks, and a run is made of what Hydra
composes.
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
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from runner.config.fields import MISSING
from runner.config.messages import missing, several_values, unknown_key
from runner.config.options import Config
from runner.config.plain_values import LIST, VALUES, LeftToHydraError, content_of, values_of
from runner.config.presets import Preset, preset_of
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, conf_dir, default_of, file_of, options

_SWEEP = {"-m", "--multirun"}

# Of Hydra's settings only these leave a configuration as it is.
_FOLDERS = {"hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir"}
_NOT_READ = "resume"

_WORD = re.compile(rf"(?P<key>[a-z]\w*(\.\w+)?)=(?P<values>{VALUES}|{LIST})", re.ASCII)

# A sweep with more points is left to Hydra.
_MOST_POINTS = 2000


def configurations(words: Sequence[str]) -> list[Config] | None:
    """The configuration of each point that the words of a command line describe, in Hydra's order, its rules not checked; None for words that only Hydra reads.

    Raises:
        ConfigurationError: a value that has to be given is not, an option has no such field, or a key has several values and no sweep is asked for.
    """
    flags = {word for word in words if word.startswith("-")}
    if not flags <= _SWEEP:
        return None
    try:
        texts = _texts([word for word in words if word not in flags])
        preset = preset_of(texts.pop(EXPERIMENT)) if EXPERIMENT in texts else Preset()
        typed, swept = {key: values_of(text) for key, text in texts.items()}, bool(flags) or preset.is_sweep
        several = next((key for key, values in typed.items() if len(values) > 1 and not swept), None)
        if several is not None:
            raise several_values(several, texts[several])
        choices = _choices(typed, preset, swept=swept)
        if math.prod(map(len, choices.values())) > _MOST_POINTS:
            return None
        return [_composed(dict(zip(choices, values, strict=True))) for values in itertools.product(*choices.values())]
    except LeftToHydraError:
        return None


def _texts(words: Sequence[str]) -> dict[str, str]:
    """The text of each key's values, in the order of the words."""
    texts: dict[str, str] = {}
    for word in words:
        if word.partition("=")[0] in _FOLDERS:
            continue
        match = _WORD.fullmatch(word)
        if match is None or match["key"] in {*texts, _NOT_READ} or match["key"].partition(".")[0] not in {*KEYS, EXPERIMENT}:
            raise LeftToHydraError
        texts[match["key"]] = match["values"]
    return texts


def _choices(typed: Mapping[str, list[Any]], preset: Preset, *, swept: bool) -> dict[str, list[Any]]:
    """The values of each key, the preset's first, as Hydra's sweeper takes them."""
    if not typed.keys().isdisjoint(preset.swept):
        raise LeftToHydraError
    choices = {key: [value] for key, value in preset.values.items() if key not in typed}
    return choices | (dict(preset.swept) if swept else {}) | dict(typed)


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


def _composed(chosen: Mapping[str, Any]) -> Config:
    files = {group: _option_file(group, chosen.get(group, default_of(group))) for group in GROUPS}
    others = {group: name for file in files.values() for group, name in file.others.items() if group not in chosen}
    files |= {group: _option_file(group, name) for group, name in others.items()}
    fields: dict[str, Any] = {}
    for key, value in content_of(conf_dir() / "config.yaml").items():
        if key in KEYS and key not in GROUPS:
            kind = _types_of(Config)[key]
            if dataclasses.is_dataclass(kind):
                fields[key] = _filled(key, kind, value, chosen)
            else:
                fields[key] = _as(kind, chosen.get(key, value))
    return Config(**{group: _filled(group, file.kind, file.values, chosen) for group, file in files.items()}, **fields)


@cache
def _option_file(group: str, name: str) -> _OptionFile:
    path, kind = file_of(group, name), options()[group].get(name)
    if path is None or kind is None:
        raise LeftToHydraError
    content = dict(content_of(path))
    others: dict[str, str] = {}
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            ((word, other),) = entry.items()
            if word.removeprefix("override /") not in GROUPS:
                raise LeftToHydraError
            others[word.removeprefix("override /")] = other
        elif entry not in {f"/schema/{group}/{name}@_here_", f"/schema/{group}/{name}@{group}"}:
            raise LeftToHydraError
    return _OptionFile(kind, content, others)


def _filled(key: str, kind: Any, values: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
    """An instance of the dataclass ``kind`` with ``values``, and those that are chosen for its fields.

    Raises:
        ConfigurationError: one that has to be given is not, or there is no such field.
    """
    given = {word.removeprefix(f"{key}."): value for word, value in chosen.items() if word.startswith(f"{key}.")}
    read, hints = {**values, **given}, _types_of(kind)
    unknown = next((name for name in read if name not in hints), None)
    if unknown is not None:
        raise unknown_key(f"{key}.{unknown}", read[unknown], kind)
    filled = kind(**{name: value if value == MISSING else _as(hints[name], value) for name, value in read.items()})
    absent = next((spec.name for spec in dataclasses.fields(filled) if getattr(filled, spec.name) == MISSING), None)
    if absent is not None:
        raise missing(f"{key}.{absent}", kind)
    return filled


def _as(kind: Any, value: Any) -> Any:
    """``value`` as a field of type ``kind`` holds it."""
    if get_origin(kind) is list and isinstance(value, list):
        return [_as(get_args(kind)[0], part) for part in value]
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if Any in kinds or (value is None and NoneType in kinds):
        return value
    if type(value) in kinds:
        return value
    if float in kinds and type(value) is int:
        return float(value)
    if str in kinds and type(value) is int:
        return str(value)
    choices = next((one for one in kinds if isinstance(one, type) and issubclass(one, Enum)), None)
    if choices is not None and isinstance(value, str) and value in choices.__members__:
        return choices[value]
    raise LeftToHydraError


@cache
def _types_of(kind: Any) -> Mapping[str, Any]:
    """The types of a dataclass's fields; finding them takes longer than all the rest of a point."""
    return get_type_hints(kind)
