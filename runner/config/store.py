"""Hands the schema to Hydra, and says where ``conf/`` is."""

from __future__ import annotations

from pathlib import Path

from hydra.core.config_store import ConfigStore

from runner.config.options import OPTIONS, Config


def register() -> None:
    """Store every option's type under ``schema/``, where it types the option without being one of the options."""
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=Config, provider="runner")
    for group, options in OPTIONS.items():
        for name, node in options.items():
            store.store(group=f"schema/{group}", name=name, node=node, provider="runner")


def conf_dir() -> Path:
    """The folder of YAML files: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"
