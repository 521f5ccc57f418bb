"""Gives Hydra the types of all options, and the folders with the YAML files of the user's own options."""

from __future__ import annotations

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

from runner.config.options import Config
from runner.config.registry import options, own_presets, plugin_folders
from runner.config.resolvers import RESOLVERS


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
    for name, resolver in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)
    OmegaConf.register_new_resolver("runner_plugins", _searched, replace=True)


def _searched() -> list[str]:
    """Where Hydra looks after the program's own folder. Of the current folder it gets presets only, and only checked ones."""
    own = own_presets()
    return [*(f"file://{path}" for path in plugin_folders()), *([] if own is None else [f"presets://{own}"])]
