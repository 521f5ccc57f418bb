"""Combines points that other processes have measured into one sweep, from their records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.config.recorded_words import check_words, key_of
from runner.errors import ConfigurationError, RunnerError, TrialError, TrialKilled
from runner.outside import refuse_links, within
from runner.record.reading import SWEEP, read_sweep_json
from runner.record.sweep_schema import SweepPoint
from runner.sweeps import exit_status
from runner.sweeps.execute import close
from runner.sweeps.point import Point, complete
from runner.sweeps.resuming import take_over
from runner.sweeps.sweep import Sweep


def gather(sweep: Sweep, points: Sequence[Point], raised: Mapping[str, TrialError]) -> None:
    """Take over the records of ``points``, conclude and write the sweep, show it and log it to MLflow.

    Args:
        sweep: with all its points.
        points: the new ones; none of them runs any more.
        raised: the errors that ended jobs, as far as they are known, by the point's label.
    """
    for point in points:
        try:
            take_over(point)
        except RunnerError as error:  # it is not a record, or one of another configuration
            point.lost = TrialKilled(str(error), kind="OtherRecord")
            continue
        if not complete(point) and not point.interrupted:
            rounds = point.config.protocol.rounds
            done = f"its job has not ended, or ended after {len(point.trials)} of {rounds} rounds; see its output"
            point.lost = raised.get(point.label) or TrialKilled(done, kind="JobLost")
        if point.error is not None:
            exit_status.worsen(exit_status.FAILED)
    sweep.conclude()
    sweep.write()
    sweep.write_comparison()
    close(sweep, points)


def sweep_begun_in(folder: Path) -> Sweep:
    """The sweep that was begun in this folder; no record of a point is taken over yet.

    Raises:
        RunnerError: there is none, or one of its points cannot be composed any more.
    """
    plan = read_sweep_json(folder / SWEEP)
    refuse_links(folder)
    sweep = Sweep.of([_point(entry, within(folder, entry["folder"])) for entry in plan["points"]], folder)
    sweep.command = plan["command"]
    return sweep


def _point(entry: SweepPoint, folder: Path) -> Point:
    from runner.config.check import typed
    from runner.config.compose import composed

    words = entry["overrides"]
    check_words(words, "gather")
    if hydras := [word for word in words if key_of(word).startswith("hydra")]:
        raise ConfigurationError("gather", hydras[0], "is a setting of Hydra's own", "the choices of one point, in a record")
    # Its images are those of its record: they need not be here.
    point = Point(config=typed(composed(words)), images=[], overrides=words, folder=folder)
    point.planned_hash = entry["config_hash"]
    point.id = entry.get("id", point.id)
    return point
