"""A sweep: its points in interleaved rounds, compared with the baseline, then closed together."""

from __future__ import annotations

import contextlib
import copy
import json
import shlex
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner import status
from runner.errors import ConfigurationError
from runner.folders import write_atomically
from runner.point import Point, command, labels_of
from runner.protocol.stopping import half_width, own_half_width
from runner.protocol.verdicts import FASTER, SLOWER, Comparison, Side, compared
from runner.protocol.warnings import Warning, nothing_provable, of_hosts, of_sweep  # noqa: A004
from runner.records_on_disk import SELF_CHECK
from runner.results import SCHEMA_VERSION
from runner.secrets import mask_file, masked_data, masked_override


@dataclass
class Sweep:
    """What a sweep is, and what has come of it.

    Attributes:
        points: in the order in which they were given.
        folder: where its record goes.
        baseline: one of the points.
        duplicate: the baseline once more, to show the noise; None where none was asked for.
        comparisons: of every point with the baseline, in every compared metric; empty where the protocol gives no verdicts.
        noise_floor: of the duplicate with the baseline, in images per second; None without one.
        warnings: those that take more than one point.
        command: a line that runs it again.
        id: of this record, wherever it is copied to.
    """

    points: Sequence[Point]
    folder: Path
    baseline: Point
    duplicate: Point | None = None
    comparisons: list[Comparison] = field(default_factory=list)
    noise_floor: Comparison | None = None
    warnings: list[Warning] = field(default_factory=list)
    command: str = ""
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, points: Sequence[Point], folder: Path) -> Sweep:
        """The sweep of these points; one that was begun in this folder before is the same one, and keeps its id."""
        sweep = cls(points, folder, chosen_baseline(points))
        with contextlib.suppress(OSError, ValueError, KeyError):  # a new one
            sweep.id = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["id"]
        return sweep

    @property
    def labels(self) -> dict[int, str]:
        """A label for each point, by its ``id``."""
        return labels_of(self.points)

    @property
    def trusted(self) -> bool:
        """Whether the self-check, if there was one, found the baseline equal to itself."""
        return self.noise_floor is None or self.noise_floor.verdict not in {FASTER, SLOWER}

    def conclude(self) -> None:
        """Compare what has been measured so far."""
        labels = self.labels
        others = [point for point in self.points if point is not self.baseline]
        self.comparisons = []
        if self.baseline.config.protocol.verdicts:
            for point in others:
                sides = self._side(point, labels), self._side(self.baseline, labels)
                self.comparisons += compared(*sides, len(others), across_hosts=self.baseline.config.compare_hosts)
        if self.duplicate is not None:
            twin = Side(SELF_CHECK, self.duplicate.trials, self.duplicate.host)
            (self.noise_floor,) = (
                found for found in compared(twin, self._side(self.baseline, labels), 1) if found.metric == "images_per_s"
            )
        self.warnings = [*of_sweep(self.points, labels), *of_hosts(self.points, self.baseline, labels)]

    def precise_enough(self, point: Point) -> bool:
        """Whether every interval of the sweep is as narrow as ``point`` asks for; all stop together, or pairs would be lost."""
        wanted = point.config.protocol.precision
        if wanted is None:
            return True
        living = [one for one in self.points if not one.has_failed]
        if len(living) < 2 or self.baseline.has_failed:
            return all(own_half_width(one.trials) <= wanted for one in living)
        labels, others = self.labels, len(self.points) - 1
        return all(
            found.ratio is not None and half_width(found.ratio) <= wanted
            for one in living
            if one is not self.baseline
            for found in compared(self._side(one, labels), self._side(self.baseline, labels), others)
            if found.metric == "images_per_s"
        )

    def record(self) -> dict[str, Any]:
        """The content of ``sweep.json``."""
        labels = self.labels
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "command": self.command,
            "baseline": labels[id(self.baseline)],
            "points": [
                {
                    "id": point.id,
                    "name": labels[id(point)],
                    "overrides": [masked_override(word) for word in point.overrides],
                    "folder": point.folder.name,
                    "host": point.host,
                    "status": point.status,
                    "error": point.error and {key: point.error[key] for key in ("type", "message")},
                    "config_hash": point.hash,
                    "metrics": point.metrics,
                    "warnings": [warning.record() for warning in point.warnings()],
                }
                for point in self.points
            ],
            "comparisons": [comparison.record() for comparison in self.comparisons],
            "self_check": self.noise_floor and self.noise_floor.record(),
            "trusted": self.trusted,
            "warnings": [warning.record() for warning in self.warnings],
        }
        masked: dict[str, Any] = masked_data(record)
        return masked

    def write(self) -> None:
        """Write ``sweep.json``, in one step."""
        record = self.record()
        write_atomically(
            self.folder / "sweep.json", lambda file: print(json.dumps(record, indent=1, allow_nan=False), file=file)
        )

    def write_comparison(self) -> None:
        """Write ``comparison.md``, in one step."""
        from runner.report.markdown import comparison_table

        text = comparison_table(self.record())
        write_atomically(self.folder / "comparison.md", lambda file: print(text, file=file))

    @staticmethod
    def _side(point: Point, labels: dict[int, str]) -> Side:
        return Side(labels[id(point)], point.trials, point.host)


def execute(
    points: Sequence[Point], folder: Path, earlier: Sequence[Point] = (), *, words: Sequence[str] | None = None
) -> None:
    """Run the points' trials, write ``sweep.json``, show the tables, log to MLflow.

    Args:
        points: checked, with their folders made.
        folder: of the sweep.
        earlier: points of the same sweep that were executed before.
        words: the module and the words that it was started with, where they are not this program's own.
    """
    from runner import terminal
    from runner.report.trace import write_trace
    from runner.session import Session

    every = [*earlier, *points]
    sweep = Sweep.of(every, folder)
    sweep.command = command([masked_override(word) for word in words or ["runner", *sys.argv[1:]]])
    protocol = sweep.baseline.config.protocol
    if protocol.verdicts and protocol.self_check and len(points) > 1 and sweep.baseline in points:
        sweep.duplicate = _duplicate(sweep.baseline, folder)
    measured = [*points, *([sweep.duplicate] if sweep.duplicate else [])]
    for warning in nothing_provable(every):
        terminal.print_note(f"Note: {warning.message}; {warning.advice}")
    sweep.write()  # what is on disk says what it is, however it may end
    first = points[0].config
    with terminal.ProgressDisplay() as display:
        session = Session(measured, first.seed, display, fail_fast=first.fail_fast, precise_enough=sweep.precise_enough)
        try:
            session.run()
        except KeyboardInterrupt:
            status.worsen(status.INTERRUPTED)
    sweep.conclude()
    sweep.write()
    sweep.write_comparison()
    for point in measured:
        if point.trials:
            write_trace(point.folder)
    close(sweep, points)


def close(sweep: Sweep, points: Sequence[Point]) -> None:
    """Report on the concluded sweep, of which ``points`` are new, and log it to MLflow; the exit status hears of points that failed."""
    from runner import terminal
    from runner.tracking import track

    report = _reported(sweep.folder) if any(point.trials for point in sweep.points) else None
    if any(point.has_failed for point in [*points, *([sweep.duplicate] if sweep.duplicate else [])]):
        status.worsen(status.FAILED)
    try:
        terminal.print_sweep(sweep)
    finally:
        mask_file(sweep.folder / "multirun.yaml")
        track(sweep.folder, [point.config.tracking for point in points if point.trials])
        if report is not None:
            terminal.print_report_path(report)


def _reported(folder: Path) -> Path | None:
    """Make the report; where that goes wrong it costs a message, no result."""
    from runner.report.page import write_report
    from runner.terminal import print_error, short

    try:
        return write_report(folder)
    except Exception as error:  # whatever a chart stumbles over, the record is there
        again = f"python -m runner.report {shlex.quote(short(folder))}"
        print_error(
            f"the report could not be made: {type(error).__name__}: {error}\n  the record is complete; try again by: {again}"
        )
        return None


def chosen_baseline(points: Sequence[Point]) -> Point:
    """The point that ``baseline`` names, by label or number; by default the first.

    Raises:
        ConfigurationError: no point is called that.
    """
    wanted = points[0].config.baseline
    if wanted is None:
        return points[0]
    labels = labels_of(points)
    for place, point in enumerate(points):
        if wanted in {labels[id(point)], str(place)}:
            return point
    raise ConfigurationError("baseline", wanted, "is none of the sweep's points", ", ".join(labels.values()))


def _duplicate(baseline: Point, folder: Path) -> Point:
    twin = Point(
        config=copy.deepcopy(baseline.config), images=baseline.images, overrides=baseline.overrides, folder=folder / SELF_CHECK
    )
    twin.folder.mkdir(exist_ok=True)
    if baseline.config.resume is not None:
        twin.restore()
    return twin
