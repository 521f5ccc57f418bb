"""``runner [run] [key=value ...]``: passes the command line to Hydra, and turns an error into one message and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from runner.sweeps import exit_status

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run(words: list[str]) -> int:
    """Run ``[flags] [key=value ...]``; returns the exit status: 0, 1 (bad configuration, failed point) or 130 (interrupted)."""
    from runner.config.early import refuse_early

    refuse_early(words)
    from runner.sweeps.early import refuse_points

    refuse_points(words)
    import hydra
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from runner.config.consent import asking
    from runner.config.recorded_words import names_own_code
    from runner.config.registry import conf_dir
    from runner.config.resume import resumed
    from runner.config.store import register
    from runner.config.withheld import withhold
    from runner.config.words import as_hydra_reads
    from runner.display.console import print_error
    from runner.errors import RunnerError
    from runner.host.claim import give_back_folders
    from runner.safe_path import take_code_of_the_current_folder
    from runner.tracking.credentials import credentials_to_environment

    wants_traceback = "HYDRA_FULL_ERROR" in os.environ
    # Makes Hydra raise errors; by itself it would print them its own way and exit.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        register()
        if names_own_code(words):
            take_code_of_the_current_folder()
        words, consent = resumed(withhold(credentials_to_environment(as_hydra_reads(words))), print_error)
        if consent is not None and "import" in consent.allowed:
            take_code_of_the_current_folder()
        sys.argv[1:] = words
        with asking(consent):
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(run_point)()
    except SystemExit as exit_:
        # Hydra refuses an unknown flag with 2.
        return exit_status.FAILED if exit_.code else exit_status.current()
    except (HydraException, OmegaConfBaseException, RunnerError, ValueError, OSError, _PointEnded) as error:
        cause = error.cause if isinstance(error, _PointEnded) else error
        if wants_traceback or isinstance(cause, BrokenPipeError):
            raise cause from None
        try:
            _print_refusal(cause)
        finally:
            give_back_folders()
            _remove_empty_sweep()
        return exit_status.FAILED
    finally:
        give_back_folders()
    return exit_status.current()


class _PointEnded(BaseException):
    """Carries the error of a single run past Hydra, which would print it with all overrides and their secrets."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(cause)


def _print_refusal(error: Exception) -> None:
    """Print what is wrong with the user's words or machine; an error that is neither is raised again."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from runner.config.explain import explain
    from runner.display.console import print_error
    from runner.errors import RunnerError, StorageError
    from runner.host.claim import claimed_folders

    storage = StorageError.of(error) if isinstance(error, OSError) else error
    if isinstance(storage, StorageError):
        from runner.sweeps.stopped import what_is_kept

        print_error("\n".join([str(storage), *map(what_is_kept, claimed_folders())]))
    elif isinstance(error, RunnerError | OSError) and not isinstance(error, HydraException):
        print_error(str(error))
    elif isinstance(error, HydraException | OmegaConfBaseException) or _module_that_raised(error) in {"hydra", "omegaconf"}:
        print_error(str(explain(error, sys.argv[1:])))
    else:
        raise error


def _module_that_raised(error: BaseException) -> str:
    """The name of the package in which an error was raised; Hydra raises a ValueError of its own for some choices."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")).partition(".")[0] if frames else ""


def _remove_empty_sweep() -> None:
    """Remove the folder that Hydra makes for a sweep before its points have been checked."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from runner.files import forget_sweep

    if HydraConfig.initialized() and (chosen := HydraConfig.get()).mode is RunMode.MULTIRUN:
        forget_sweep(Path(str(chosen.sweep.dir)).absolute())


def run_point(composed: DictConfig) -> float | None:
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
        raise _PointEnded(error) from error
