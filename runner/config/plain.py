"""A configuration as plain data, and the hash of it by which equal configurations are known."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any

from runner.config.options import Config
from runner.config.registry import default_of, keys_of
from runner.secrets import masked_data


def plain(value: Any) -> Any:
    """``value`` as JSON and YAML can hold it: enums become names, dataclasses become mappings, also inside lists."""
    if isinstance(value, list):
        return [plain(inside) for inside in value]
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {spec.name: plain(getattr(value, spec.name)) for spec in dataclasses.fields(value)}
    return value


def config_hash(config: Config) -> str:
    """16 hexadecimal digits, equal for configurations that measure the same thing in the same way.

    No secret is in it: a short one could be guessed from it, and a new signature of an address makes no other address.
    """
    hashed = keys_of(lambda role: role.hashed)
    content = {
        spec.name: _hashed_part(getattr(config, spec.name))
        for spec in dataclasses.fields(config)
        if spec.name in hashed and not _is_later_default(spec, config)
    }
    return hashlib.sha256(json.dumps(masked_data(content), sort_keys=True).encode()).hexdigest()[:16]


def _is_later_default(spec: dataclasses.Field[Any], config: Config) -> bool:
    """Whether the key came after records had been made, and its option is the default one, so that hashes are as they were."""
    return bool(spec.metadata["later"]) and getattr(config, spec.name).name == default_of(spec.name)


def _hashed_part(value: Any) -> Any:
    """The value as plain data, without the fields whose own role excludes them from the hash."""
    if not dataclasses.is_dataclass(value):
        return plain(value)
    return {spec.name: _hashed_part(getattr(value, spec.name)) for spec in dataclasses.fields(value) if _is_hashed(spec, value)}


def _is_hashed(spec: dataclasses.Field[Any], owner: Any) -> bool:
    role = spec.metadata.get("role")
    as_before = spec.metadata.get("later") and getattr(owner, spec.name) == spec.default
    return (role is None or role.hashed) and not as_before
