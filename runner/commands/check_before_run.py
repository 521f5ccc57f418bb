"""The callback that Hydra calls before it makes a folder. ``conf/config.yaml`` names it, so Hydra imports it only then."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, read_write
from omegaconf.errors import OmegaConfBaseException

from runner.config.check import checked_hydra, typed
from runner.config.compose import without_hydra
from runner.config.withheld import withhold_in
from runner.errors import RunnerError
from runner.files import check_folder
from runner.sweeps.beginning import begin_in
from runner.sweeps.checking import checked
from runner.sweeps.hydra_run import PastHydra


class CheckBeforeRun(Callback):
    """Refuses a configuration before Hydra has made a folder for its run.

    It does so by ``PastHydra``, because Hydra turns any other exception of a callback into a warning.
    """

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        """Check a single run, and claim its folder; the points of a sweep are checked by the launcher, all before the first starts."""
        with _refusals():
            checked_hydra(config)
            withhold_in(config)
            check_folder("hydra.run.dir", Path(str(config.hydra.run.dir)).absolute())
            checked(typed(without_hydra(config)))
            folder = str(config.hydra.run.dir)
            with read_write(config):
                config.hydra.run.dir = folder  # resolved once: the time in its name could be another later
            begin_in(Path(folder).absolute(), "hydra.run.dir", resumed=config.resume is not None)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Wrap a launcher of another kind, so that its sweep is gathered too; claim the sweep's folder, and tell ``HydraConfig`` where it is."""
        from runner.sweeps.composing import put_into_gathering

        with _refusals():
            check_folder("hydra.sweep.dir", Path(str(config.hydra.sweep.dir)).absolute())
        put_into_gathering(config)
        chosen = copy.deepcopy(config)
        with read_write(chosen):
            chosen.hydra.sweep.dir = str(
                config.hydra.sweep.dir
            )  # resolved once: every copy would put another time into its name
        HydraConfig.instance().set_config(chosen)
        with _refusals():
            begin_in(Path(chosen.hydra.sweep.dir).absolute(), "hydra.sweep.dir", resumed=config.resume is not None)


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Carry what is wrong past Hydra."""
    try:
        yield
    except (RunnerError, OmegaConfBaseException) as error:
        raise PastHydra(error) from None
