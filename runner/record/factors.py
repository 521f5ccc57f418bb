"""What varies between points: the dotted names of the configuration's keys that differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runner.config.fields import MEASURING
from runner.config.registry import BESIDE, KEYS, keys_of

# Keys whose differences do not make two points different.
_NO_FACTORS = {*keys_of(lambda role: not role.varies), *BESIDE}

# Keys that say how something is measured, rather than what.
_HOW = {key for key, spec in KEYS.items() if spec.metadata["role"] is MEASURING}


def chosen_keys(overrides: Sequence[str]) -> list[str]:
    """The dotted names in these overrides that say what is measured."""
    keys = [word.partition("=")[0] for word in overrides]
    return [key for key in keys if _is_factor(key) and key.split(".")[0] not in _HOW]


def varying_keys(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The dotted names of the keys whose values differ between the configurations that have them."""
    flat = [flattened(config) for config in configs]
    keys = dict.fromkeys(key for one in flat for key in one)
    return [key for key in keys if _is_factor(key) and len({json.dumps(one[key]) for one in flat if key in one}) > 1]


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration as dotted names and values: ``mode`` is the option's name, ``mode.start_method`` its field."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        elif key == "name" and prefix:
            flat[prefix.rstrip(".")] = value
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _is_factor(key: str) -> bool:
    return key.partition(".")[0] not in _NO_FACTORS
