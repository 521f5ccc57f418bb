"""Configurations composed as the program composes them."""

from __future__ import annotations

from hydra import compose, initialize_config_dir

from runner.config.check import typed
from runner.config.options import Config
from runner.config.registry import conf_dir
from runner.config.store import register


def composed(*overrides: str) -> Config:
    register()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return typed(compose("config", overrides=list(overrides)))
