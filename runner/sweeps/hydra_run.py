"""Runs words of a command line as a Hydra program: composes, checks and executes what they describe. What is wrong with them is raised."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RunnerError, StorageError

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from runner.sweeps.point import Objective


class PastHydra(BaseException):
    """Carries an error past Hydra, which would print it with all overrides and their secrets, or turn it into a warning."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(cause)


def refuse_words(words: Sequence[str]) -> None:
    """Refuse ``[flags] [key=value ...]`` where what is wrong shows without Hydra, which takes longer to load than that.

    Raises:
        RunnerError: a point cannot be run.
    """
    from runner.config.early import refuse_early

    refuse_early(words)
    from runner.sweeps.early import refuse_points

    refuse_points(words)


def run_words(words: Sequence[str]) -> None:
    """Run ``[flags] [key=value ...]``. The folder that it is recorded in stays claimed until the caller gives it back, after ``refusal_of``.

    Raises:
        Exception: Hydra's own or another, of which ``refusal_of`` makes one of this program's.
        SystemExit: Hydra does not know a flag.
        KeyboardInterrupt: the user has stopped a single run. What was measured is on disk.
    """
    import hydra

    from runner.config.consent import asking
    from runner.config.recorded_words import names_own_code
    from runner.config.registry import conf_dir
    from runner.config.resume import resumed
    from runner.config.store import register
    from runner.config.withheld import withhold
    from runner.config.words import as_hydra_reads
    from runner.display.console import print_error
    from runner.safe_path import take_code_of_the_current_folder
    from runner.tracking.credentials import credentials_to_environment

    # Makes Hydra raise errors; by itself it would print them its own way and exit.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    register()
    if names_own_code(words):
        take_code_of_the_current_folder()
    again, consent = resumed(withhold(credentials_to_environment(as_hydra_reads(words))), print_error)
    if consent is not None and "import" in consent.allowed:
        take_code_of_the_current_folder()
    sys.argv[1:] = again
    try:
        with asking(consent):
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(run_point)()
    except PastHydra as ended:
        raise ended.cause from None


def refusal_of(error: Exception) -> RunnerError | None:
    """What is wrong with the user's words or machine, as an error of this program; None for an error that is neither.

    Where a disk is full, the error's notes say what is on it already, and how to go on.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from runner.config.explain import explain
    from runner.host.claim import claimed_folders

    storage = StorageError.of(error) if isinstance(error, OSError) else error
    if isinstance(storage, StorageError):
        from runner.sweeps.stopped import what_is_kept

        for folder in claimed_folders():
            storage.add_note(what_is_kept(folder))
        return storage
    if isinstance(error, RunnerError):
        return error
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return RunnerError(str(error))
    if isinstance(error, HydraException | OmegaConfBaseException) or _module_that_raised(error) in {"hydra", "omegaconf"}:
        return explain(error, sys.argv[1:])
    return None


def _module_that_raised(error: BaseException) -> str:
    """The name of the package in which an error was raised; Hydra raises a ValueError of its own for some choices."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")).partition(".")[0] if frames else ""


def remove_empty_sweep() -> None:
    """Remove the folder that Hydra makes for a sweep before its points have been checked; it is not claimed any more."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from runner.files import forget_sweep

    if HydraConfig.initialized() and (chosen := HydraConfig.get()).mode is RunMode.MULTIRUN:
        forget_sweep(Path(str(chosen.sweep.dir)).absolute())


def run_point(composed: DictConfig) -> Objective:
    """Run one point by itself. Hydra calls this for a single run, and launchers other than ``rounds`` call it for each point.

    Returns its objective, or None where it failed.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from runner.config.recorded_words import names_own_code
    from runner.config.withheld import original
    from runner.display.console import print_note
    from runner.files import mask_hydra_files
    from runner.safe_path import take_code_of_the_current_folder
    from runner.sweeps.job import execute_job
    from runner.sweeps.point import Point
    from runner.sweeps.resuming import resume_alone
    from runner.sweeps.single import execute_alone

    hydra_config = HydraConfig.get()
    overrides, folder = list(hydra_config.overrides.task), Path(hydra_config.runtime.output_dir)
    if names_own_code(overrides):  # a job is a process of its own
        take_code_of_the_current_folder()
    os.environ |= {name: original(str(value)) for name, value in hydra_config.job.env_set.items()}
    if hydra_config.mode is RunMode.MULTIRUN:
        return execute_job(composed, overrides, folder)
    try:
        point = Point.prepared(composed, overrides, folder)
        mask_hydra_files(point.folder)
        if point.config.resume is not None:
            resume_alone(point, print_note)
        return execute_alone(point)
    except Exception as error:
        raise PastHydra(error) from error
