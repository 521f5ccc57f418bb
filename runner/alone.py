"""Executes a point by itself: its rounds, its table, its MLflow run."""

from __future__ import annotations

from runner import status
from runner.point import Point


def execute_alone(point: Point) -> float | None:
    """Run the point, whose folder is made; returns its objective, or None where it failed.

    Raises:
        KeyboardInterrupt: the user has stopped it. What has been measured is on disk and logged.
    """
    from runner import terminal
    from runner.protocol.stopping import precise_by_itself
    from runner.report.trace import write_trace
    from runner.session import Session
    from runner.tracking import track

    with terminal.ProgressDisplay() as display:
        session = Session([point], point.config.seed, display, precise_enough=precise_by_itself)
        try:
            session.run()
        except KeyboardInterrupt:
            status.worsen(status.INTERRUPTED)
    if point.has_failed:
        status.worsen(status.FAILED)
    if point.trials:
        write_trace(point.folder)
        try:
            terminal.print_point(point, session.gpus, session.idle_cpu_pct)
        finally:
            track(point.folder, [point.config.tracking])
    if point.interrupted:
        raise KeyboardInterrupt  # whoever has more points to run should not
    return point.objective
