"""Executes a sweep: runs its rounds, then writes its record and report, prints its tables and logs it to MLflow."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from runner.analysis.warnings import nothing_provable
from runner.disk import make_folder
from runner.display.console import command_line, output_was_lost, print_error, print_note, print_report_path, short
from runner.display.progress import ProgressDisplay
from runner.display.sweep_summary import print_sweep
from runner.files import mask_file
from runner.record.manifest import write_manifest
from runner.record.reading import SELF_CHECK
from runner.record.trace import write_trace
from runner.secrets import masked_override
from runner.sweeps import exit_status
from runner.sweeps.course import Course
from runner.sweeps.images import settled_images
from runner.sweeps.logged import log_to_mlflow
from runner.sweeps.point import Point, command
from runner.sweeps.resuming import resume
from runner.sweeps.session import Session
from runner.sweeps.sweep import Sweep


def execute(
    points: Sequence[Point],
    folder: Path,
    earlier: Sequence[Point] = (),
    *,
    words: Sequence[str] | None = None,
    shown: bool = True,
    course: Callable[[Sweep, Callable[[str], None]], Course] = Course,
) -> None:
    """Run the points' trials, write ``sweep.json``, show the tables, log to MLflow.

    Args:
        points: checked, with their folders made.
        folder: of the sweep.
        earlier: points of the same sweep that were executed before.
        shown: whether the answer and the ranking are printed.
        words: the arguments of ``python -m runner`` in the record's command; by default those of this command line.
        course: decides which points of a race go on.
    """
    every = [*earlier, *points]
    sweep = Sweep.of(every, folder)
    sweep.command = sweep.command or command([masked_override(word) for word in (sys.argv[1:] if words is None else words)])
    protocol = sweep.baseline.config.protocol
    if protocol.verdicts and protocol.self_check and len(points) > 1 and sweep.baseline in points:
        sweep.duplicate = _duplicate(sweep.baseline, folder)
    measured = [*points, *([sweep.duplicate] if sweep.duplicate else [])]
    if points[0].config.resume is not None:
        resume(measured, print_note)
    for warning in nothing_provable(every[0].config.protocol, len(every)):
        print_note(f"Note: {warning.message}; {warning.advice}")
    first = points[0].config
    with ProgressDisplay(tensorflow=any(point.config.uses_tensorflow for point in points)) as display:
        session = Session(
            measured,
            first.seed,
            display,
            half_width=sweep.half_width,
            prepare=lambda supervisor: sweep.settle(settled_images(measured, supervisor, display.tell)),
            course=course(sweep, display.race_stands) if sweep.raced else None,
            fail_fast=first.fail_fast,
            identity=sweep.id,
        )
        sweep.write()  # now, so that the folder says what it is even if the sweep is killed
        try:
            session.run()
        except KeyboardInterrupt:
            exit_status.worsen(exit_status.INTERRUPTED)
    sweep.conclude()
    sweep.write()
    sweep.write_comparison()
    for point in measured:
        if point.trials:
            write_trace(point.folder)
    close(sweep, points, shown=shown)


def close(sweep: Sweep, points: Sequence[Point], *, shown: bool = True) -> None:
    """Report on the concluded sweep and log it to MLflow. The program fails if one of ``points``, the new ones, has failed."""
    report = _reported(sweep.folder) if any(point.trials for point in sweep.points) else None
    if any(point.has_failed for point in [*points, *([sweep.duplicate] if sweep.duplicate else [])]):
        exit_status.worsen(exit_status.FAILED)
    try:
        if shown:
            print_sweep(sweep.record(), sweep.folder)
        if output_was_lost():
            exit_status.worsen(exit_status.FAILED)
    finally:
        mask_file(sweep.folder / "multirun.yaml")
        log_to_mlflow(sweep.folder, [point.config.tracking for point in points if point.trials])
        if report is not None:
            print_report_path(report)
    if not any(point.lost for point in sweep.points):  # the job of one that was lost may write still
        write_manifest(sweep.folder)


def _reported(folder: Path) -> Path | None:
    """Write the report; returns its path. If it cannot be written, a message says so, and the results are not affected."""
    from runner.report.page import write_report

    try:
        return write_report(folder)
    except Exception as error:  # a chart may fail in any way; the record exists already
        again = command_line("report", short(folder))
        print_error(
            f"the report could not be written: {type(error).__name__}: {error}\n  the record is complete; try again by: {again}"
        )
        return None


def _duplicate(baseline: Point, folder: Path) -> Point:
    config, where = copy.deepcopy(baseline.config), folder / SELF_CHECK
    twin = Point(config, baseline.images, baseline.overrides, where, surroundings=baseline.surroundings)
    make_folder(twin.folder)
    return twin
