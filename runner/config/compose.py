"""Composes a configuration as Hydra does, without running a Hydra program; and removes Hydra's own section from one."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from runner.config.explain import explain
from runner.config.registry import conf_dir
from runner.config.store import register
from runner.config.words import quoted_if_needed


def composed(words: Sequence[str]) -> DictConfig:
    """The configuration that these words of a command line compose.

    Raises:
        ConfigurationError: they do not compose a configuration.
    """
    register()
    try:
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return compose("config", overrides=[quoted_if_needed(word) for word in words])
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise explain(error, words) from error


def without_hydra(config: DictConfig) -> DictConfig:
    """The configuration without Hydra's own section."""
    rest = copy.deepcopy(config)
    with read_write(rest), open_dict(rest):
        del rest["hydra"]
    return rest
