"""A sweep of which another launcher runs each point in a job of its own: checks the points before, gathers them after.

Hydra's other launchers do not handle a sweep as a whole. So the launcher that the user has chosen is wrapped in
``hydra_plugins.gathering_launcher``, which calls ``launch_with_another``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import HydraContext
from omegaconf import DictConfig

from runner.config.options.root import AUTO
from runner.config.restore import quoted
from runner.config.withheld import handed_to_jobs, words_of_withheld
from runner.display.console import command_line, print_error, print_note, short
from runner.errors import ConfigurationError, TrialError, TrialFailed, type_and_first_line
from runner.files import mask_file
from runner.record.reading import was_cut_short
from runner.secrets import masked, masked_override
from runner.sweeps import exit_status
from runner.sweeps.composing import composed_and_checked
from runner.sweeps.gathering import gather
from runner.sweeps.images import ELSEWHERE, settle
from runner.sweeps.point import Point, command, complete
from runner.sweeps.resuming import ended_from_outside, take_over
from runner.sweeps.sweep import Sweep

# Runs a job for each point, given the overrides of each and the number of the first; returns when all have ended.
Submit = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]


def launch_with_another(
    config: DictConfig,
    hydra_context: HydraContext,
    job_overrides: Sequence[Sequence[str]],
    earlier: list[Point],
    first: int,
    *,
    submit: Submit,
) -> list[JobReturn]:
    """Let ``submit`` run the points that ``job_overrides`` describe, and gather their records.

    Args:
        config: of the sweep, with the launcher that the user has chosen.
        hydra_context: with it Hydra composes a point.
        job_overrides: of each point.
        earlier: points of the same sweep that were run before; the new ones are added.
        first: number of the first of these points.
        submit: runs the jobs.

    Raises:
        ConfigurationError: one of the points cannot be run, or not by this launcher. Nothing was started.
    """
    composed, points = composed_and_checked(config, hydra_context, job_overrides, earlier, first)
    _check(config, points[0])
    settle(points, ELSEWHERE)
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    if points[0].config.resume is not None:
        for point in points:
            take_over(point)
            point.trials = [trial for trial in point.trials if not ended_from_outside(trial)]
    sweep = Sweep.of([*earlier, *points], folder)
    sweep.command = sweep.command or command([masked_override(word) for word in sys.argv[1:]])
    sweep.write()  # with all its points, so that it can be gathered later
    mask_file(folder / "multirun.yaml")
    due = [index for index, point in enumerate(points) if not complete(point) or _was_cut_short(point)]
    words = _words_of_jobs(job_overrides, composed, due)
    raised = _submitted(config, submit, words, first, [points[index] for index in due]) if due else {}
    gather(sweep, points, raised)
    earlier.extend(points)
    return [_returned(job, point) for job, point in zip(composed, points, strict=True)]


def _was_cut_short(point: Point) -> bool:
    return point.recorded is not None and was_cut_short(point.recorded)


def _words_of_jobs(
    job_overrides: Sequence[Sequence[str]], composed: Sequence[DictConfig], due: Sequence[int]
) -> list[list[str]]:
    """The overrides of the jobs to run, which are those of the points with the numbers ``due``."""
    # The same number for all: a job that had to find its own would not know of the others.
    words = [
        [*job_overrides[index], *_images_of(composed[index]), *words_of_withheld(composed[index], job_overrides[index])]
        for index in due
    ]
    if len(due) < len(job_overrides):  # jobs are numbered anew, so each is given the folder of its point
        for index, given in zip(due, words, strict=True):
            given.append(f"hydra.sweep.subdir={quoted('hydra.sweep.subdir', str(composed[index].hydra.sweep.subdir))}")
    return words


def _images_of(job: DictConfig) -> list[str]:
    return [f"images={ELSEWHERE}"] if job.images == AUTO else []


def _submitted(
    config: DictConfig, submit: Submit, words: Sequence[Sequence[str]], first: int, points: Sequence[Point]
) -> dict[str, TrialError]:
    """Run a job for each of ``points``; returns the errors that jobs raised, by their point's label."""
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    jobs = _folder_of_jobs(config, folder)
    output = "" if jobs is None else f"; the jobs' own output is in {short(jobs)}"
    print_note(f"With the launcher {_name(config)}: {len(points)} point{'' if len(points) == 1 else 's'}{output}")
    if jobs is not None:
        # The launcher writes the configuration of each job there, with any secret in it.
        jobs.mkdir(mode=0o700, parents=True, exist_ok=True)
    later = f"jobs that still run go on; when they have ended: {command_line('gather', short(folder))}"
    try:
        with handed_to_jobs():
            returns = submit(words, first)
    except KeyboardInterrupt:
        exit_status.worsen(exit_status.INTERRUPTED)
        print_error(f"Interrupted; {later}")
        return {}
    except Exception as error:  # a job died; launchers raise the first error and do not wait for other jobs
        exit_status.worsen(exit_status.FAILED)
        print_error(f"The launcher gave up: {type_and_first_line(error)}\n  {later}")
        return {}
    finally:
        if jobs is not None:
            _clean(jobs)
    return {
        point.label: TrialFailed(masked(str(job._return_value)), kind=type(job._return_value).__name__)  # noqa: SLF001
        for job, point in zip(returns, points, strict=True)
        if job.status is JobStatus.FAILED  # reading ``return_value`` would print the overrides, with any secret in them
    }


def _check(config: DictConfig, point: Point) -> None:
    """Refuse settings that would measure a point twice, or that another launcher cannot fulfil."""
    launcher, name = config.hydra.launcher, _name(config)
    for key in ("nodes", "tasks_per_node"):
        if launcher.get(key, 1) not in {None, 1}:
            given = launcher[key]
            raise ConfigurationError(
                f"hydra.launcher.{key}", given, "would run each point that many times, into one folder", "1"
            )
    if point.config.protocol.race:
        reason = f"cannot be run with the launcher {name}: each point has a job of its own, so none can drop out by what the others come to"
        raise ConfigurationError("protocol.race", True, reason, "protocol=standard; or hydra/launcher=rounds")  # noqa: FBT003
    if point.config.fail_fast:
        reason = f"cannot be done with the launcher {name}: its jobs cannot end each other"
        raise ConfigurationError("fail_fast", True, reason, "false; or hydra/launcher=rounds")  # noqa: FBT003


def _name(config: DictConfig) -> str:
    return str(config.hydra.runtime.choices.get("hydra/launcher") or config.hydra.launcher.get("_target_"))


def _folder_of_jobs(config: DictConfig, folder: Path) -> Path | None:
    """The folder in which the launcher keeps the files of all jobs; None if it is not within the sweep's folder."""
    kept = config.hydra.launcher.get("submitit_folder")
    if kept is None:
        return None
    path = Path(str(kept).partition("%")[0]).absolute()
    return path if folder in path.parents else None


def _clean(jobs: Path) -> None:
    """Remove the pickled configurations and results of jobs that have ended, because they may contain secrets."""
    for result in jobs.glob("**/*_result.pkl"):
        for path in result.parent.glob("*.pkl"):
            path.unlink(missing_ok=True)


def _returned(composed: DictConfig, point: Point) -> JobReturn:
    overrides = [str(word) for word in composed.hydra.overrides.task]
    job = JobReturn(overrides=overrides, status=JobStatus.COMPLETED)
    job.return_value = point.objective
    return job
