"""Makes a sweep of the points that other processes have measured, from their records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.errors import ConfigurationError, RunnerError, TrialError, TrialKilled
from runner.sweep import exit_status
from runner.sweep.execute import close
from runner.sweep.point import Point, complete
from runner.sweep.sweep import Sweep


def gather(sweep: Sweep, points: Sequence[Point], raised: Mapping[str, TrialError]) -> None:
    """Take over what has been recorded of ``points``, conclude and write the sweep, show it and log it to MLflow.

    Args:
        sweep: with all its points.
        points: those that are new, none of which runs any more.
        raised: what ended a point's job, by the point's label, where it is known.
    """
    for point in points:
        try:
            point.take_over()
        except ConfigurationError as error:
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
    """The sweep that was begun in this folder, with nothing taken over yet.

    Raises:
        RunnerError: there is none, or one of its points can no more be composed.
    """
    try:
        plan = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
        entries = [(entry["overrides"], folder / entry["folder"], entry["id"]) for entry in plan["points"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunnerError(f"{folder}: holds no sweep that was begun (sweep.json): {error}") from error
    sweep = Sweep.of([_point(words, at, key) for words, at, key in entries], folder)
    sweep.command = str(plan["command"])
    return sweep


def _point(words: Sequence[str], folder: Path, key: str) -> Point:
    from runner.config.check import typed
    from runner.config.compose import composed

    # Its images are those of its record: they need not be here.
    return Point(config=typed(composed(words)), images=[], overrides=words, folder=folder, id=key)
