"""From the configuration in a record back to the overrides that compose it. The record is checked and quoted; nothing in it is executed."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.config.fields import MISSING
from runner.config.messages import unknown_key
from runner.config.registry import KEYS, conf_dir, file_of, keys_of, options
from runner.errors import ConfigurationError

# A text that Hydra reads as itself without quotes, unless it is one of these words.
_PLAIN = re.compile(r"[A-Za-z_/][\w./-]*", re.ASCII)
_WORDS = ("null", "true", "false", "inf", "nan")

# What a key of a mapping may be on Hydra's command line.
_NAME = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)

# How many lists and mappings there may be within each other; Hydra's parser ends in a RecursionError after some hundreds.
_DEEPEST = 10


def choices_of(config: Any) -> list[str]:
    """The shortest list of overrides, ``group=option`` and ``key=value``, that composes ``config``, the configuration of a record.

    Raises:
        ConfigurationError: it is not a configuration of this program, or contains something that would be evaluated.
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError("config", _shown(config), "is no mapping", "the configuration of a record")
    for key in config:
        if key not in KEYS:
            raise unknown_key(str(key), _shown(config[key]), None)
    choices: list[str] = []
    repeated, defaults = keys_of(lambda role: role.repeated), _content_of(conf_dir() / "config.yaml")
    for key, value in config.items():
        if key not in repeated:
            continue
        if key in options():
            choices += _group(key, value)
        elif value != defaults.get(key):
            choices.append(f"{key}={quoted(key, value)}")
    return choices


def with_overrides(choices: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The choices without those that the overrides replace, then the overrides; with an option of a group, the fields of that group go too."""
    given = {word.partition("=")[0] for word in overrides}
    groups = given & options().keys()
    keys = ((word, word.partition("=")[0]) for word in choices)
    return [word for word, key in keys if key not in given and key.partition(".")[0] not in groups] + list(overrides)


def quoted(key: str, value: Any) -> str:
    """A value written in Hydra's grammar, so that Hydra reads the same value back.

    Raises:
        ConfigurationError: it is not a plain value, or a text that would be evaluated.
    """
    return _quoted(key, value, 0)


def _quoted(key: str, value: Any, depth: int) -> str:
    """As ``quoted``, of a value within so many lists and mappings."""
    if isinstance(value, str):
        return _quoted_text(key, value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, Sequence | Mapping):
        raise ConfigurationError(key, _shown(value), "is no plain value", "a text, a number, true, false or null")
    if depth == _DEEPEST:
        raise ConfigurationError(key, None, "is nested too deeply", f"up to {_DEEPEST} lists and mappings within each other")
    if isinstance(value, Sequence):
        return f"[{','.join(_quoted(key, inside, depth + 1) for inside in value)}]"
    for name in value:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _WORDS:
            accepted = "letters, digits and _ - . / in a record's mapping, other than " + ", ".join(_WORDS)
            raise ConfigurationError(key, _shown(name), "is no name", accepted)
    return "{" + ",".join(f"{name}:{_quoted(f'{key}.{name}', inside, depth + 1)}" for name, inside in value.items()) + "}"


def _quoted_text(key: str, text: str) -> str:
    from hydra.core.override_parser.types import Quote, QuotedString

    if "${" in text:
        raise ConfigurationError(key, text, "would be evaluated", "a plain text in a record's configuration, without ${")
    if text == MISSING:
        raise ConfigurationError(key, text, "stands for a value that is not given", "any other text")
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return QuotedString(text=text, quote=Quote.single).with_quotes()


def _group(group: str, value: Any) -> Iterator[str]:
    kinds = options()[group]
    if not isinstance(value, Mapping):
        raise ConfigurationError(group, _shown(value), "is no mapping", "the fields of one of " + ", ".join(kinds))
    if "name" in value:
        option = str(value["name"])
        if option not in kinds:
            raise ConfigurationError(group, _shown(value["name"]), f"there is no such {group}", "one of " + ", ".join(kinds))
    else:
        option = min(kinds, key=lambda one: len(_differences(value, _fields(group, one))))
    yield f"{group}={option}"
    owner = kinds[option]
    known = {spec.name for spec in dataclasses.fields(owner)}
    for key in value:
        if key not in known:
            raise unknown_key(f"{group}.{key}", _shown(value[key]), owner)
    for key in _differences(value, _fields(group, option)):
        yield f"{group}.{key}={quoted(f'{group}.{key}', value[key])}"


def _differences(value: Mapping[str, Any], fields: Mapping[str, Any]) -> list[str]:
    """The keys in which ``value`` differs from an option's file; a key that the file lacks counts as different."""
    return [key for key in value if key != "name" and (key not in fields or fields[key] != value[key])]


def _fields(group: str, option: str) -> dict[str, Any]:
    path = file_of(group, option)
    return {} if path is None else _content_of(path)


def _content_of(path: Path) -> dict[str, Any]:
    from omegaconf import OmegaConf

    content = OmegaConf.to_container(OmegaConf.load(path))
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def _shown(value: Any) -> str:
    return repr(value)[:80]
