"""``python -m runner.gather FOLDER``: makes a sweep of the points that other processes have measured, from their records.

A sweep of which another launcher runs the points (``hydra/launcher=submitit_slurm``) is gathered at its end by the program that started
it. This is for when that program is no more, or was told too early that a job had died: it can be repeated, and starts nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner import status
from runner.errors import ConfigurationError, RunnerError, TrialError, TrialKilled
from runner.point import Point
from runner.protocol.stopping import complete
from runner.sweep import Sweep, close
from runner.turns import forget_turns


def main() -> None:
    """Gather and show the sweep; exits with 1 where a point failed or is missing, or there is no sweep."""
    parser = argparse.ArgumentParser(prog="python -m runner.gather", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the sweep")
    parser.add_argument("--compare-hosts", action="store_true", help="as compare_hosts=true does for a sweep")
    arguments = parser.parse_args()
    try:
        sweep = planned(arguments.folder.absolute())
        for point in sweep.points:
            point.config.compare_hosts |= arguments.compare_hosts
        gather(sweep, sweep.points, {})
    except RunnerError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(status.INTERRUPTED)
    sys.exit(status.current())


def gather(sweep: Sweep, points: Sequence[Point], raised: Mapping[int, TrialError]) -> None:
    """Take over what has been recorded of ``points``, conclude and write the sweep, show it and log it to MLflow.

    Args:
        sweep: with all its points.
        points: those that are new, none of which runs any more.
        raised: what ended a point's job, by the point's ``id()``, where it is known.
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
            point.lost = raised.get(id(point)) or TrialKilled(done, kind="JobLost")
        if point.error is not None:
            status.worsen(status.FAILED)
    forget_turns(sweep.folder)
    sweep.conclude()
    sweep.write()
    sweep.write_comparison()
    close(sweep, points)


def planned(folder: Path) -> Sweep:
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


if __name__ == "__main__":
    main()
