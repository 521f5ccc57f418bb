"""Hydra's way to the presets of the current folder: ``presets://FOLDER`` has its ``experiment/NAME.yaml``, checked, and nothing else that is in it.

As a folder of files on Hydra's search path it could bring launchers and callbacks, which are code, and types in place of this program's.
"""

from __future__ import annotations

import re
from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult
from omegaconf import OmegaConf

_GROUP = "experiment"


class PresetsSource(FileConfigSource):
    """The presets in a folder that may be a stranger's."""

    @staticmethod
    def scheme() -> str:
        """How such a folder is named on the search path."""
        return "presets"

    def available(self) -> bool:
        return Path(self.path, _GROUP).is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path in {"", _GROUP} and self.available()

    def is_config(self, config_path: str) -> bool:
        return self._file(config_path) is not None

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        if config_path == "":
            return [] if results_filter is ObjectType.CONFIG else [_GROUP]
        return super().list(config_path, results_filter) if config_path == _GROUP else []

    def load_config(self, config_path: str) -> ConfigResult:
        """The preset, if it holds choices and nothing else."""
        from runner.config.own_presets import own_preset

        path = self._file(config_path)
        if path is None:
            raise ConfigLoadError(f"Config not found : {config_path}")
        # Made of what was checked, and not read again.
        config = OmegaConf.create(dict(own_preset(path)))
        return ConfigResult(self.provider, f"{self.scheme()}://{self.path}", config, {"package": "_global_"})

    def _file(self, config_path: str) -> Path | None:
        from runner.config.registry import PRESET_NAME

        match = re.fullmatch(rf"{_GROUP}/({PRESET_NAME}?)(\.yaml)?", config_path, re.ASCII)
        path = None if match is None else Path(self.path, _GROUP, f"{match[1]}.yaml")
        return path if path is not None and path.is_file() else None
