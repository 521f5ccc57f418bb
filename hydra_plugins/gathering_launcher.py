"""A launcher that wraps another one, such as Submitit's, and gathers what its jobs recorded. The work is done in ``runner.sweeps.other_launchers``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

if TYPE_CHECKING:
    from runner.sweeps.point import Point


class GatheringLauncher(Launcher):
    """Has another launcher run each point in a job of its own, and gathers what the jobs recorded."""

    def __init__(self, chosen: DictConfig) -> None:
        self._chosen = chosen

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Set up the launcher that the user chose, with the configuration as it was before this launcher was put around it."""
        self._context = hydra_context
        self._config = copy.deepcopy(config)
        with read_write(self._config.hydra), open_dict(self._config.hydra):
            self._config.hydra.launcher = self._chosen
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=self._config
        )
        self._executed: list[Point] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Have the points executed."""
        from runner.sweeps.other_launchers import launch_with_another

        return launch_with_another(
            self._config, self._context, job_overrides, self._executed, initial_job_idx, submit=self._launcher.launch
        )
