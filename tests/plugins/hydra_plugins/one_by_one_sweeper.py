"""A sweeper that asks for one point after the other and writes down what it is told of each: what Optuna does, without Optuna."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

ConfigStore.instance().store(
    group="hydra/sweeper",
    name="one_by_one",
    node={"_target_": "hydra_plugins.one_by_one_sweeper.OneByOneSweeper"},
)


class OneByOneSweeper(Sweeper):
    def setup(self, *, hydra_context: Any, task_function: Any, config: Any) -> None:
        self._config = config
        self._launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: Sequence[str]) -> None:
        told = []
        for number, size in enumerate((8, 9, 10)):
            (answer,) = self._launcher.launch([[*arguments, f"task.size={size}"]], initial_job_idx=number)
            told.append(answer.return_value)
        Path("told.json").write_text(json.dumps(told))
