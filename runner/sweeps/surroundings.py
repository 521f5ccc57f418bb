"""Looks, before the first trial, at what about the machine may spoil the measurement of some points."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from runner.analysis.preflight import for_records, preflight
from runner.host.conditions import Conditions
from runner.host.limits import Limits
from runner.sweeps.point import Point


def look_around(points: Sequence[Point]) -> None:
    """Note for each point what is found, and what cannot be read. The load is left out: each trial has that of its own time.

    The disks that are looked at are those of the record, of temporary files, and of the images where they are files.
    """
    limits = Limits.now()
    for folders in dict.fromkeys(map(_folders, points)):
        findings = for_records(preflight(Conditions.now(folders, limits=limits)))
        for point in points:
            if _folders(point) == folders:
                point.findings = findings


def _folders(point: Point) -> tuple[Path, ...]:
    images = getattr(point.config.source, "path", None) if point.config.source.reads_files else None
    return (point.folder.parent, Path(tempfile.gettempdir()), *([] if images is None else [Path(images)]))
