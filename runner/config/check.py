"""From a composed configuration to a typed one, or to a message that says what is wrong with it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from enum import Enum
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from runner.config.cpus import as_text, cpus_of
from runner.config.explain import accepted_by, unknown_key
from runner.config.fields import Rule
from runner.config.metrics import CONSUMER_METRICS
from runner.config.options import Config, NoConsumer
from runner.config.registry import GROUPS, default_of, keys_of
from runner.errors import ConfigurationError
from runner.host.affinity import allowed_cpus


def typed(composed: DictConfig) -> Config:
    """The typed configuration in ``composed``, with every rule checked.

    Raises:
        ConfigurationError: a value is missing, outside its rule, or at odds with another.
        OmegaConfBaseException: a value refers to another that is not there.
    """
    try:
        _refuse_unknown(composed, "")
        config = OmegaConf.to_object(composed)
    except MissingMandatoryValue as error:
        key = error.full_key or "?"
        raise ConfigurationError(key, None, "must be given", accepted_by(composed, key)) from error
    if not isinstance(config, Config):
        raise ConfigurationError("config", type(config).__name__, "is not this program's configuration", "conf/config.yaml")
    _check_rules(config, "")
    for group in GROUPS:
        getattr(config, group).check(config)
    if config.objective in CONSUMER_METRICS and isinstance(config.consumer, NoConsumer):
        raise ConfigurationError(
            "objective", config.objective, "is measured only where there is a consumer", "consumer=emulated"
        )
    if config.affinity is not None:
        _check_affinity(config.affinity)
    return config


def checked_hydra(composed: DictConfig) -> None:
    """Refuse settings of Hydra's own with which records would be written elsewhere.

    Raises:
        ConfigurationError: one is set.
    """
    if composed.hydra.job.chdir:
        raise ConfigurationError("hydra.job.chdir", True, "would move every relative path", "false")  # noqa: FBT003


def _refuse_unknown(node: DictConfig, prefix: str) -> None:
    """Refuse keys added by ``+key=value``, which Hydra does not hold against the schema."""
    owner = OmegaConf.get_type(node)
    for key in node:
        name = str(key)
        if dataclasses.is_dataclass(owner) and name not in {spec.name for spec in dataclasses.fields(owner)}:
            raise unknown_key(f"{prefix}{name}", node[key], owner)
        if not OmegaConf.is_missing(node, key) and isinstance(node[key], DictConfig):
            _refuse_unknown(node[key], f"{prefix}{name}.")


def _check_rules(node: Any, prefix: str) -> None:
    for spec in dataclasses.fields(node):
        key, value = f"{prefix}{spec.name}", getattr(node, spec.name)
        if dataclasses.is_dataclass(value):
            _check_rules(value, f"{key}.")
            continue
        rule: Rule | None = spec.metadata.get("rule")
        if rule is not None and rule.broken_by(value):
            raise ConfigurationError(key, plain(value), "is out of range", accepted_by(node, spec.name))


def _check_affinity(text: str) -> None:
    allowed = allowed_cpus()
    if allowed is None:
        raise ConfigurationError("affinity", text, "cannot be set on this system", "null")
    accepted = f"a list of CPUs out of {as_text(allowed)}, such as {as_text(allowed[:2])} or '{allowed[0]},{allowed[-1]}'"
    try:
        wanted = cpus_of(text)
    except ValueError as error:
        raise ConfigurationError("affinity", text, str(error), accepted) from None
    if missing := sorted(set(wanted) - set(allowed)):
        raise ConfigurationError("affinity", text, f"this program may not use CPU {as_text(tuple(missing))}", accepted)


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
    """16 hexadecimal digits, equal for configurations that measure the same thing in the same way."""
    hashed = keys_of(lambda role: role.hashed)
    content = {
        spec.name: _hashed_part(getattr(config, spec.name))
        for spec in dataclasses.fields(config)
        if spec.name in hashed and not _is_later_default(spec, config)
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


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
