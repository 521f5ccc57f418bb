"""MLflow: told of a run when all its timing is over and its record is on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.config.options import NoTracking
from runner.errors import TrackingError
from runner.point import Point


def track(points: Sequence[Point], sweep: Path | None) -> None:
    """Log each point as one MLflow run. A store that cannot be written costs a message, never a result."""
    wanted = [point for point in points if not isinstance(point.config.tracking, NoTracking)]
    if not wanted:
        return
    from runner import terminal
    from runner.tracking.mlflow_runs import log_points

    groups: dict[str, list[Point]] = {}
    for point in wanted:
        groups.setdefault(repr(point.config.tracking), []).append(point)
    for group in groups.values():
        try:
            where = log_points(group, sweep)
        except TrackingError as error:
            terminal.print_error(f"MLflow has not heard of this run, its record on disk is complete: {error}")
        else:
            terminal.print_where_tracked(where)
