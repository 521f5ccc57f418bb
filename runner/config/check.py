"""From a composed configuration to a typed one, or to a message that says what is wrong with it."""

from __future__ import annotations

import dataclasses

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from runner.config.messages import missing, unknown_key
from runner.config.options import Config
from runner.config.rules import check_rules
from runner.config.withheld import put_back
from runner.errors import ConfigurationError


def typed(composed: DictConfig) -> Config:
    """The typed configuration in ``composed``, with every rule checked.

    Raises:
        ConfigurationError: a value is missing, outside its rule, or at odds with another.
        OmegaConfBaseException: a value refers to another that is not there.
    """
    composed = put_back(composed)
    try:
        _refuse_unknown(composed, "")
        config = OmegaConf.to_object(composed)
    except MissingMandatoryValue as error:
        key = str(error.full_key)
        owner = OmegaConf.select(composed, key.rpartition(".")[0]) if "." in key else composed
        raise missing(key, OmegaConf.get_type(owner)) from error
    if not isinstance(config, Config):
        raise ConfigurationError("config", type(config).__name__, "is not this program's configuration", "conf/config.yaml")
    check_rules(config)
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
