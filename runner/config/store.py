"""Hands the schema to Hydra, and says where the YAML files of other options are."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from runner.config.options import Config
from runner.config.registry import options, plugin_folders


def register() -> None:
    """Store every option's type under ``schema/``, where it types the option without being one of the options.

    Raises:
        ConfigurationError: one of the user's own options cannot be taken.
    """
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, provider="runner")
    for group, kinds in options().items():
        for name, node in kinds.items():
            store.store(group=f"schema/{group}", name=name, node=node, provider="runner")
    OmegaConf.register_new_resolver("runner_plugins", lambda: [f"file://{path}" for path in plugin_folders()], replace=True)
