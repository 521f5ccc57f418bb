"""A sweep: all points composed and checked before anything starts, executed in interleaved rounds, then closed together."""

from __future__ import annotations

import copy
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, run_job
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from runner import status
from runner.config.check import plain
from runner.folders import write_atomically
from runner.point import Point
from runner.results import SCHEMA_VERSION


def launch(
    config: DictConfig, hydra_context: HydraContext, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Execute the points that ``job_overrides`` describe; each job returns its point's images per second, or None.

    Raises:
        ConfigurationError: one of the points cannot be run; no process was started.
    """
    folder = Path(str(config.hydra.sweep.dir)).absolute()
    composed = [_composed(config, hydra_context, overrides, first + index) for index, overrides in enumerate(job_overrides)]
    points = [_prepared(job, folder) for job in composed]
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
    execute(points, folder)
    for job, point in zip(returns, points, strict=True):
        job.return_value = point.metrics.get("images_per_s", {}).get("value")
    return returns


def execute(points: Sequence[Point], folder: Path) -> None:
    """Run the points' trials, write ``sweep.json``, log to MLflow, and show the table."""
    from runner import terminal
    from runner.session import Session
    from runner.tracking import track

    with terminal.ProgressDisplay(sum(point.config.protocol.rounds for point in points)) as display:
        session = Session(points, points[0].config.seed, display)
        try:
            session.run()
        except KeyboardInterrupt:
            status.worsen(status.INTERRUPTED)
    warnings = disagreements(points)
    write_sweep(points, folder, warnings)
    if any(point.error is not None for point in points):
        status.worsen(status.FAILED)
    terminal.print_sweep(points, folder, warnings)
    track([point for point in points if point.trials], sweep=folder)


def disagreements(points: Sequence[Point]) -> list[str]:
    """A warning for every group of points that did the same task on the same images and came to different results."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for point in points:
        same = json.dumps([[image.digest for image in point.images], _task_without_execution(point)], sort_keys=True)
        for digest in point.digests:
            groups[same][digest].append(point.name)
    found = []
    for digests in groups.values():
        if len(digests) > 1:
            sides = "; ".join(f"{', '.join(sorted(set(names)))}: {digest[:12]}" for digest, names in digests.items())
            found.append(
                f"the results differ between points on the same images and task, so their times do not compare: {sides}"
            )
    return found


def write_sweep(points: Sequence[Point], folder: Path, warnings: Sequence[str]) -> None:
    """Write ``sweep.json`` in one step. There are no comparisons without verdicts, and no verdicts from medians alone."""
    record = {
        "schema_version": SCHEMA_VERSION,
        "baseline": list(points[0].overrides),
        "points": [
            {
                "name": point.name,
                "overrides": list(point.overrides),
                "folder": point.folder.name,
                "status": point.status,
                "config_hash": point.hash,
                "metrics": point.metrics,
            }
            for point in points
        ],
        "comparisons": [],
        "warnings": list(warnings),
    }
    write_atomically(folder / "sweep.json", lambda file: print(json.dumps(record, indent=1, allow_nan=False), file=file))


def _task_without_execution(point: Point) -> dict[str, Any]:
    """The task as far as it decides the result: eager or graph is a way to get there."""
    return {key: value for key, value in plain(point.config.task).items() if key != "execution"}


def _composed(config: DictConfig, context: HydraContext, overrides: Sequence[str], number: int) -> DictConfig:
    job = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(job):
        job.hydra.job.id = str(number)
        job.hydra.job.num = number
    return job


def _prepared(job: DictConfig, folder: Path) -> Point:
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(job)  # the folder's name may be made of it
    try:
        subfolder = folder / str(job.hydra.sweep.subdir)
        overrides = OmegaConf.to_container(job.hydra.overrides.task)
    finally:
        HydraConfig.instance().cfg = before
    return Point.prepared(without_hydra(job), [str(override) for override in overrides or []], subfolder)


def without_hydra(config: DictConfig) -> DictConfig:
    """The configuration without Hydra's own part."""
    rest = copy.deepcopy(config)
    with read_write(rest), open_dict(rest):
        del rest["hydra"]
    return rest
