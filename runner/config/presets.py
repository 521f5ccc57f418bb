"""Reads a preset, a file in ``conf/experiment``, as the choices that it consists of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.config.own_presets import own_preset
from runner.config.plain_values import LeftToHydraError, content_of, values_of
from runner.config.registry import EXPERIMENT, GROUPS, KEYS, file_of, is_own_preset
from runner.config.resolvers import RESOLVERS

_RESOLVER = re.compile(r"\$\{(\w+):\}")


@dataclass(frozen=True)
class Preset:
    """The choices of a preset, by dotted key.

    Attributes:
        values: of single keys.
        swept: the values of each key over which it sweeps.
        is_sweep: whether it is a sweep without ``-m``.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    swept: Mapping[str, list[Any]] = field(default_factory=dict)
    is_sweep: bool = False


def preset_of(name: str) -> Preset:
    """The preset with this name.

    Raises:
        LeftToHydraError: there is none, or it holds more than choices.
        ConfigurationError: it is one of the current folder's, and holds more than choices.
    """
    path = file_of(EXPERIMENT, name)
    if path is None:
        raise LeftToHydraError
    content = dict(own_preset(path) if is_own_preset(path) else content_of(path))
    chosen = dict(map(_override, content.pop("defaults", [])))
    is_sweep, swept = _swept(content.pop("hydra", {}))
    if not content.keys() <= KEYS.keys():
        raise LeftToHydraError
    return Preset(chosen | dict(_flat(content)), swept, is_sweep=is_sweep)


def _override(entry: Any) -> tuple[str, str]:
    """The group and the option of a line ``override /group: option``."""
    if not isinstance(entry, dict) or len(entry) != 1:
        raise LeftToHydraError
    ((word, option),) = entry.items()
    if word.removeprefix("override /") not in GROUPS or not isinstance(option, str):
        raise LeftToHydraError
    return word.removeprefix("override /"), option


def _swept(section: Any) -> tuple[bool, dict[str, list[Any]]]:
    """Whether Hydra's section makes a sweep of it, and the values of each key that it sweeps over."""
    if not section:
        return False, {}
    if section.keys() != {"mode", "sweeper"} or section["mode"] != "MULTIRUN" or section["sweeper"].keys() != {"params"}:
        raise LeftToHydraError
    return True, {key: values_of(_RESOLVER.sub(_resolved, str(values))) for key, values in section["sweeper"]["params"].items()}


def _resolved(match: re.Match[str]) -> str:
    if match[1] not in RESOLVERS:
        raise LeftToHydraError
    return RESOLVERS[match[1]]()


def _flat(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", inner) for name, inner in _flat(value))
        elif isinstance(value, list) or (isinstance(value, str) and "$" in value):
            raise LeftToHydraError
        else:
            yield key, value
