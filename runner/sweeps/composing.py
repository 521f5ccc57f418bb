"""Composes and checks all points of a sweep with Hydra before anything starts, and gives each point its folder."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner.config.check import checked_hydra, typed
from runner.config.compose import without_hydra
from runner.config.withheld import withhold_in
from runner.errors import ConfigurationError
from runner.files import mask_file, mask_hydra_files
from runner.record.limits import FOLDER
from runner.secrets import MASK
from runner.sweeps.checking import CheckedConfig, checked

if TYPE_CHECKING:
    from runner.sweeps.point import Point

_GATHERING = "hydra_plugins.gathering_launcher.GatheringLauncher"
_ROUNDS = "hydra_plugins.rounds_launcher.RoundsLauncher"


def put_into_gathering(config: DictConfig) -> None:
    """Wrap the launcher that a sweep's configuration names in the one that gathers, unless it is one of this program's own."""
    chosen = config.hydra.launcher
    if chosen.get("_target_") in {_ROUNDS, _GATHERING}:
        return
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.launcher = {"_target_": _GATHERING, "_recursive_": False, "chosen": chosen}


def launch(
    config: DictConfig, hydra_context: HydraContext, job_overrides: Sequence[Sequence[str]], earlier: list[Point], first: int
) -> list[JobReturn]:
    """Execute the points that ``job_overrides`` describe; each job returns its point's objective, or None where it failed.

    Args:
        config: of the sweep.
        hydra_context: with it Hydra composes a point.
        job_overrides: of each point.
        earlier: points that this launcher has executed before, for a sweeper that chooses points as it goes; the new ones are added.
        first: number of the first of these points.

    Raises:
        ConfigurationError: one of the points cannot be run. No process was started.
    """
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    if config.hydra.job.env_set:
        name = next(iter(config.hydra.job.env_set))
        reason = "would have no effect, because all points of a sweep are run by one program"
        raise ConfigurationError(
            f"hydra.job.env_set.{name}", MASK, reason, f"the variable before the program: {name}=... runner ..."
        )
    composed, points = composed_and_checked(config, hydra_context, job_overrides, earlier, first)
    from runner.sweeps.execute import execute  # imported here, because a refusal does not need it
    from runner.sweeps.images import settle_as_recorded
    from runner.sweeps.resuming import restore

    if points[0].config.resume is not None:
        settle_as_recorded(points, folder)
        for point in points:
            restore(point)
    # Hydra writes each point's .hydra/ now; the point itself is executed below, in its rounds.
    returns = [
        run_job(
            task_function=lambda _: None,
            config=job,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=hydra_context,
        )
        for job in composed
    ]
    mask_file(folder / "multirun.yaml")
    for point in points:
        mask_hydra_files(point.folder)
    execute(points, folder, earlier)
    earlier.extend(points)
    for job, point in zip(returns, points, strict=True):
        job.return_value = point.objective
    return returns


def composed_and_checked(
    config: DictConfig,
    hydra_context: HydraContext,
    job_overrides: Sequence[Sequence[str]],
    earlier: Sequence[Point],
    first: int,
) -> tuple[list[DictConfig], list[Point]]:
    """Hydra's configuration of each job, and its point; nothing is written. The arguments are those of ``launch``.

    Raises:
        ConfigurationError: one of the points cannot be run.
    """
    checked_hydra(config)
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    composed: list[DictConfig] = []
    ready: list[CheckedConfig] = []
    for index, overrides in enumerate(job_overrides):  # checked one by one, because composing a point takes 0.1 s
        composed.append(_composed(config, hydra_context, overrides, first + index))
        ready.append(checked(typed(without_hydra(composed[-1]))))
    from runner.sweeps.labels import chosen_baseline
    from runner.sweeps.point import Point  # imported here, because it needs the statistics, and a refusal does not

    points = [
        Point(one.config, one.images, _overrides(job), folder / _subfolder(job), surroundings=one.surroundings)
        for job, one in zip(composed, ready, strict=True)
    ]
    _refuse_shared_folders(points)
    _refuse_half_races(points, earlier)
    chosen_baseline([*earlier, *points])  # so that a wrong baseline is refused now, not after all has been measured
    return composed, points


def _refuse_half_races(points: Sequence[Point], earlier: Sequence[Point]) -> None:
    """In a race each point runs against all others, from the first round on."""
    races = {point.config.protocol.race for point in [*earlier, *points]}
    if len(races) > 1:
        raise ConfigurationError("protocol.race", "true,false", "is one thing for a whole sweep", "true or false")
    if earlier and points[0].config.protocol.race:
        reason = "needs all points at once, and this sweeper chooses them as it goes"
        raise ConfigurationError("protocol.race", True, reason, "hydra/sweeper=grid; or protocol=quick")  # noqa: FBT003


def _refuse_shared_folders(points: Sequence[Point]) -> None:
    folders = [point.folder for point in points]
    for folder in folders:
        if folders.count(folder) > 1:
            raise ConfigurationError(
                "hydra.sweep.subdir",
                folder.name,
                "gives several points one folder",
                "${hydra.job.num}, or what differs between points",
            )


def _composed(config: DictConfig, context: HydraContext, overrides: Sequence[str], number: int) -> DictConfig:
    job = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(job):
        job.hydra.job.id = str(number)
        job.hydra.job.num = number
    withhold_in(job)
    return job


def _overrides(job: DictConfig) -> list[str]:
    """What the user chose, without ``resume``, which is no part of the point."""
    words = [str(override) for override in OmegaConf.to_container(job.hydra.overrides.task) or []]
    return [word for word in words if not word.startswith("resume=")]


def _subfolder(job: DictConfig) -> str:
    """The name of the job's folder, which may contain values of its ``HydraConfig``."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(job)
    try:
        subfolder = str(job.hydra.sweep.subdir)
    finally:
        HydraConfig.instance().cfg = before
    if re.fullmatch(FOLDER, subfolder) is None:
        raise ConfigurationError(
            "hydra.sweep.subdir", subfolder, "is no folder below the sweep's", "such as ${hydra.job.num}, without .."
        )
    return subfolder
