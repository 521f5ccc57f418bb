"""The launcher ``rounds``: Hydra gives it all points of a sweep at once. The work is done in ``runner.sweeps.composing``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from runner.sweeps.point import Point

# A plain mapping: Hydra executes this file outside sys.modules, where a dataclass cannot be made.
ConfigStore.instance().store(
    group="hydra/launcher",
    name="rounds",
    node={"_target_": "hydra_plugins.rounds_launcher.RoundsLauncher"},
    provider="runner",
)


class RoundsLauncher(Launcher):
    """Executes all points of a sweep in this process, in rounds; each round is a new random order of all points."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Keep what ``launch`` needs. The task function is not used, because it runs one point by itself."""
        self._context = hydra_context
        self._config = config
        self._executed: list[Point] = []

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Execute the points."""
        from runner.sweeps.composing import launch

        return launch(self._config, self._context, job_overrides, self._executed, initial_job_idx)
