"""Gives Hydra the types of all options, and the folders with the YAML files of the user's own options."""

from __future__ import annotations

import math

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from runner.config.options import Config
from runner.config.registry import options, plugin_folders
from runner.host.environment import usable_cpus


def register() -> None:
    """Store every option's type under ``schema/``, where Hydra uses it as a type and does not list it as an option.

    Raises:
        ConfigurationError: one of the user's own options cannot be used.
    """
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, provider="runner")
    for group, kinds in options().items():
        for name, node in kinds.items():
            store.store(group=f"schema/{group}", name=name, node=node, provider="runner")
    OmegaConf.register_new_resolver("doubled_workers", doubled_workers, replace=True)
    OmegaConf.register_new_resolver("runner_plugins", lambda: [f"file://{path}" for path in plugin_folders()], replace=True)


def doubled_workers() -> str:
    """1, 2, 4 and so on up to twice the CPUs that may be used, as a sweep takes them: ``1,2,4``."""
    most = max(2, math.floor(2 * usable_cpus()))
    numbers = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return ",".join(map(str, numbers if numbers[-1] == most else [*numbers, most]))
