"""A sweep whose points another launcher has run, each by a job of its own: checked before, gathered after.

Hydra's own launchers know nothing of what belongs to a sweep as a whole. So the one that the user has chosen is put into another,
``hydra_plugins.gathering_launcher``, which ends up here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig

from runner.config.restore import quoted
from runner.display.console import print_error, print_note, short
from runner.errors import ConfigurationError, TrialError, TrialFailed
from runner.files import mask_file
from runner.secrets import masked, masked_override
from runner.sweep import exit_status
from runner.sweep.composing import composed_and_checked
from runner.sweep.gathering import gather
from runner.sweep.point import Point, command, complete
from runner.sweep.sweep import Sweep

# What the launcher makes of jobs, by the overrides of each and the number of the first.
Submit = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


def launch_elsewhere(
    config: DictConfig,
    hydra_context: HydraContext,
    job_overrides: Sequence[Sequence[str]],
    earlier: list[Point],
    first: int,
    *,
    submit: Submit,
) -> list[JobReturn]:
    """Have the points that ``job_overrides`` describe run by ``submit``, and gather what came of them.

    Args:
        config: of the sweep; its launcher is the one that the user has chosen.
        hydra_context: what Hydra composes a point with.
        job_overrides: of each point.
        earlier: points of the same sweep that were run before; the new ones are added.
        first: number of the first of these points.
        submit: returns when all jobs have ended.

    Raises:
        ConfigurationError: one of the points cannot be run, or not by this launcher; nothing was started.
    """
    composed, points = composed_and_checked(config, hydra_context, job_overrides, earlier, first)
    _check(config, points[0])
    resumes = points[0].config.resume is not None
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if resumes:
        for point in points:
            point.take_over()
    due = [place for place, point in enumerate(points) if not complete(point)]
    sweep = Sweep.of([*earlier, *points], folder)
    sweep.command = command([masked_override(word) for word in sys.argv[1:]])
    sweep.write()  # who gathers it later finds in it which points there are to be
    mask_file(folder / "multirun.yaml")
    jobs = _folder_of_jobs(config, folder)
    if jobs is not None:
        # What a job is handed over in holds its configuration as it is, with any secret in it.
        jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    words = [list(job_overrides[place]) for place in due]
    if len(due) < len(points):  # their numbers are others than before, so their folders are told them
        for place, given in zip(due, words, strict=True):
            given.append(f"hydra.sweep.subdir={quoted('hydra.sweep.subdir', str(composed[place].hydra.sweep.subdir))}")
    if due:
        output = "" if jobs is None else f"; their own output is in {short(jobs)}"
        print_note(f"With the launcher {_name(config)}: {len(due)} point{'' if len(due) == 1 else 's'}{output}")
    raised = _submitted(submit, words, first, [points[place] for place in due], folder)
    if jobs is not None:
        _clean(jobs)
    gather(sweep, points, raised)
    earlier.extend(points)
    return [_returned(job, point) for job, point in zip(composed, points, strict=True)]


def _submitted(
    submit: Submit, words: Sequence[Sequence[str]], first: int, points: Sequence[Point], folder: Path
) -> dict[str, TrialError]:
    """Run the jobs; returns what those raised that raised something, by their point's label."""
    if not points:
        return {}
    later = f"jobs that still run go on: when they have ended, runner gather {short(folder)}"
    try:
        returns = submit(words, first)
    except KeyboardInterrupt:
        exit_status.worsen(exit_status.INTERRUPTED)
        print_error(f"Interrupted; {later}")
        return {}
    except Exception as error:  # a job died; launchers tell of the first, and wait for no other
        exit_status.worsen(exit_status.FAILED)
        reason = (str(error).strip().splitlines() or [""])[0]
        print_error(f"The launcher gave up: {type(error).__name__}: {reason}\n  {later}")
        return {}
    return {
        point.label: TrialFailed(masked(str(job._return_value)), kind=type(job._return_value).__name__)  # noqa: SLF001
        for job, point in zip(returns, points, strict=True)
        if job.status is JobStatus.FAILED  # asked for its value, it would print its words, with any secret in them
    }


def _check(config: DictConfig, point: Point) -> None:
    """Refuse what would have a job measured twice, or promise what no launcher can do."""
    launcher, name = config.hydra.launcher, _name(config)
    for key in ("nodes", "tasks_per_node"):
        if launcher.get(key, 1) not in {None, 1}:
            given = launcher[key]
            raise ConfigurationError(f"hydra.launcher.{key}", given, "would run each point as many times, into one folder", "1")
    if point.config.fail_fast:
        reason = f"is not in the hands of the launcher {name}: its jobs cannot end each other"
        raise ConfigurationError("fail_fast", True, reason, "false; or hydra/launcher=rounds")  # noqa: FBT003


def _name(config: DictConfig) -> str:
    return str(config.hydra.runtime.choices.get("hydra/launcher") or config.hydra.launcher.get("_target_"))


def _folder_of_jobs(config: DictConfig, folder: Path) -> Path | None:
    """Where the launcher keeps its jobs, as far as that is within the sweep's folder and the same for all of them."""
    kept = config.hydra.launcher.get("submitit_folder")
    if kept is None:
        return None
    path = Path(str(kept).partition("%")[0]).absolute()
    return path if folder in path.parents else None


def _clean(jobs: Path) -> None:
    """Remove what jobs that have ended were handed, and handed back: pickled configurations, with any secret in them."""
    for result in jobs.glob("**/*_result.pkl"):
        for path in result.parent.glob("*.pkl"):
            path.unlink(missing_ok=True)


def _returned(composed: DictConfig, point: Point) -> JobReturn:
    overrides = [str(word) for word in composed.hydra.overrides.task]
    job = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    job.return_value = point.objective
    return job
