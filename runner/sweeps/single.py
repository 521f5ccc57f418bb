"""Executes a point by itself: runs its rounds, prints its table and logs it to MLflow."""

from __future__ import annotations

from runner.analysis.stopping import own_half_width
from runner.display.console import output_was_lost
from runner.display.progress import LineDisplay, ProgressDisplay
from runner.display.summary import print_point
from runner.record.manifest import write_manifest
from runner.record.trace import write_trace
from runner.sweeps import exit_status
from runner.sweeps.images import settle_alone
from runner.sweeps.logged import log_to_mlflow
from runner.sweeps.point import Objective, Point
from runner.sweeps.session import Session


def execute_alone(point: Point) -> Objective:
    """Run the point, whose folder exists; returns its objective, or None if it failed.

    Raises:
        KeyboardInterrupt: the user has stopped it. What was measured is on disk and logged.
    """
    try:
        with ProgressDisplay(tensorflow=point.config.uses_tensorflow, alone=True) as display:
            measure(point, display)
    finally:
        if point.trials:
            log_to_mlflow(point.folder, [point.config.tracking])
    write_manifest(point.folder)
    if point.interrupted:
        raise KeyboardInterrupt  # so that a caller with more points stops too
    return point.objective


def measure(point: Point, display: LineDisplay) -> None:
    """Run the point's rounds, write its trace and print its table; sets the exit status if it failed or was interrupted."""
    session = Session(
        [point],
        point.config.seed,
        display,
        half_width=lambda: own_half_width(point.trials),
        prepare=lambda supervisor: settle_alone(point, supervisor, display.tell),
        identity=point.id,
    )
    try:
        session.run()
    except KeyboardInterrupt:
        exit_status.worsen(exit_status.INTERRUPTED)
    display.stop()
    if point.has_failed:
        exit_status.worsen(exit_status.FAILED)
    if point.trials:
        write_trace(point.folder)
        samples = point.series[-1].samples if point.series else ()
        print_point(point.record(), point.folder, samples, session.gpus, session.idle_cpu_pct)
        if output_was_lost():
            exit_status.worsen(exit_status.FAILED)
