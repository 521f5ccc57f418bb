"""Hydra's way in: the sweeper ``grid``, Hydra's own sweeper without its check that every job can be composed.

Our launchers compose and check all jobs before the first starts. Doing it twice takes 0.1 s more for each point, and delays a refusal.
``multirun.yaml``, by which a sweep is resumed, is written in one step and without secrets; a resumed sweep keeps the one that it has.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf

# A plain mapping: Hydra executes this file outside sys.modules, where a dataclass cannot be made.
ConfigStore.instance().store(
    group="hydra/sweeper",
    name="grid",
    node={"_target_": "hydra_plugins.grid_sweeper.GridSweeper", "max_batch_size": None, "params": None},
    provider="runner",
)


class GridSweeper(BasicSweeper):
    """Hands every combination of the values on the command line to the launcher."""

    def sweep(self, arguments: list[str]) -> Any:
        """Hand over the combinations, a batch at a time; returns what the launcher made of each."""
        assert self.config is not None and self.launcher is not None and self.hydra_context is not None  # noqa: PT018, S101  (set up)
        parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        self.overrides = self.split_arguments(overrides, self.max_batch_size)
        _write_words(self.config)
        returns: list[Sequence[JobReturn]] = []
        while not self.is_done():
            returns.append(self.launcher.launch(self.get_job_batch(), initial_job_idx=sum(map(len, returns))))
        return returns


def _write_words(config: DictConfig) -> None:
    from runner.config.withheld import withhold_in
    from runner.disk import write_atomically

    path = Path(config.hydra.sweep.dir) / "multirun.yaml"
    if not (config.resume and path.exists()):
        withhold_in(shown := copy.deepcopy(config))
        text = OmegaConf.to_yaml(shown)
        write_atomically(path, lambda file: print(text, file=file, end=""))
