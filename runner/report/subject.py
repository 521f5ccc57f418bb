"""What a report is about: the record of a sweep or of a single point, prepared for charts and tables."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from runner.analysis.verdicts import PRIMARY, Side, compare_points
from runner.config.metrics import objectives_of
from runner.display.front import front_columns, front_rows
from runner.display.ranking import columns, rows
from runner.errors import RunnerError
from runner.record.metric_schema import MetricName
from runner.record.point_schema import WarningRecord
from runner.record.reading import (
    SELF_CHECK,
    PointRecord,
    SweepRecord,
    read_folder,
    read_point,
    value_of,
    was_cut_short,
)
from runner.record.sweep_schema import AnswerRecord, ComparisonRecord, FrontRecord, RaceRecord
from runner.report.layout import Layout, Position, chosen_layout


@dataclass(frozen=True)
class Subject:
    """A sweep, or one point by itself.

    Attributes:
        folder: of the record; the report goes there.
        title: what was swept, and when.
        points: those with at least one trial, in their order.
        expected: how many points the sweep has, with or without trials.
        baseline: the label of the point that the others are compared with; None for a single point.
        comparisons: as in ``sweep.json``.
        answer: as in ``sweep.json``; None for a single point, and for an old sweep without one.
        ranking: a table with a row for each point, the best first, and its headings; empty for a single point.
        front: which points nothing beats in several objectives together, as in ``sweep.json``; None where there is one objective.
        fronted: a table with a row for each point, those that nothing beats first, and its headings.
        race: its rounds, as in ``sweep.json``; empty where none was run.
        out: the rounds after which points left it, by their labels.
        self_check: the baseline against its duplicate, as in ``sweep.json``.
        duplicate: the duplicate's own record.
        trusted: whether the self-check has shown the baseline equal to itself.
        warnings: those about several points.
        command: a line for a shell that runs it again.
        cut_short: whether the sweep did not finish; then its comparisons are made now, from the trials that it has.
    """

    folder: Path
    title: str
    points: Sequence[PointRecord]
    expected: int
    baseline: str | None
    comparisons: Sequence[ComparisonRecord]
    answer: AnswerRecord | None
    ranking: Sequence[Sequence[str]]
    front: FrontRecord | None
    fronted: Sequence[Sequence[str]]
    race: Sequence[RaceRecord]
    out: Mapping[str, int]
    self_check: ComparisonRecord | None
    duplicate: PointRecord | None
    trusted: bool
    warnings: Sequence[WarningRecord]
    command: str
    cut_short: bool

    @cached_property
    def layout(self) -> Layout:
        """The axes of the charts."""
        return chosen_layout(self.points)

    @cached_property
    def places(self) -> Mapping[str, Position]:
        """Where each point is drawn, by its label."""
        return {point.label: self.layout.place(point) for point in self.points}

    @cached_property
    def good(self) -> Sequence[PointRecord]:
        """The points that have figures."""
        return [point for point in self.points if value_of(point, "images_per_s") is not None]

    @cached_property
    def by_label(self) -> Mapping[str, PointRecord]:
        return {point.label: point for point in self.points}

    @cached_property
    def best(self) -> PointRecord | None:
        """The point with the largest median throughput among the points that finished; among all, if none did."""
        whole = [point for point in self.good if point.record["status"] == "ok"]
        return max(whole or self.good, key=lambda point: value_of(point, "images_per_s") or 0.0, default=None)

    def comparison(self, label: str, metric: MetricName) -> ComparisonRecord | None:
        """The comparison of the point with this label with the baseline, in one metric."""
        return self._compared.get((label, metric))

    @cached_property
    def _compared(self) -> Mapping[tuple[str, MetricName], ComparisonRecord]:
        return {(comparison["point"], comparison["metric"]): comparison for comparison in self.comparisons}

    @cached_property
    def shown_in_detail(self) -> Sequence[PointRecord]:
        """The points whose trials are drawn one by one, four at most: the best, the baseline, and the best of each other series."""
        chosen: dict[str, PointRecord] = {}
        if self.best is not None:
            chosen[self.best.label] = self.best
        baseline = self.by_label.get(self.baseline or "")
        if baseline is not None and value_of(baseline, "images_per_s") is not None:
            chosen.setdefault(baseline.label, baseline)
        ranked = sorted(self.good, key=lambda point: -(value_of(point, "images_per_s") or 0.0))
        covered = {self.places[label].series for label in chosen}
        for point in ranked:
            series = self.places[point.label].series
            if series not in covered:
                covered.add(series)
                chosen.setdefault(point.label, point)
        return list(chosen.values())[:4]


def read_subject(folder: Path) -> Subject:
    """The sweep or the point in this folder.

    Raises:
        RunnerError: there is neither, it has no trial, or it cannot be read.
    """
    record = read_folder(folder)
    if record is None:
        raise RunnerError(f"{folder}: this point has no trial, so there is nothing to report")
    return _of_sweep(record) if isinstance(record, SweepRecord) else _of_point(record)


def _of_sweep(sweep: SweepRecord) -> Subject:
    record = sweep.record
    if not sweep.measured:
        raise RunnerError(f"{sweep.folder}: no point of this sweep has a trial, so there is nothing to report")
    duplicate = None
    with contextlib.suppress(RunnerError):  # without it there is no noise to show
        duplicate = read_point(sweep.folder / SELF_CHECK)
    concluded = bool(record["comparisons"]) or record["self_check"] is not None
    comparisons = record["comparisons"] if concluded else _compared_now(sweep)
    return Subject(
        folder=sweep.folder,
        title=sweep.title,
        points=sweep.measured,
        expected=len(record["points"]),
        baseline=record["baseline"],
        comparisons=comparisons,
        answer=record.get("answer"),
        ranking=[columns(record), *rows(record)] if record.get("ranking") else [],
        front=record.get("front"),
        fronted=[front_columns(record), *front_rows(record)] if record.get("front") else [],
        race=record.get("race", []),
        out={one["point"]: rounds for one in record.get("ranking", []) if (rounds := one["out_in_round"]) is not None},
        self_check=record["self_check"],
        duplicate=duplicate,
        trusted=record["trusted"],
        warnings=record["warnings"],
        command=record["command"],
        cut_short=any(was_cut_short(point.record) for point in sweep.measured)
        or any(was_cut_short(point) or (point["status"] == "killed" and point["error"] is None) for point in record["points"]),
    )


def _compared_now(sweep: SweepRecord) -> list[ComparisonRecord]:
    """The comparisons of a sweep that ended before it made them."""
    by_label = {point.label: point for point in sweep.measured}
    baseline = by_label.get(sweep.record["baseline"])
    others = len(sweep.record["points"]) - 1
    if baseline is None or others < 1 or not baseline.record["config"]["protocol"].get("verdicts", True):
        return []
    config = baseline.record["config"]
    points = [_side(point) for point in sweep.measured if point is not baseline]
    compared = compare_points(
        points,
        _side(baseline),
        comparisons=others,
        primary=objectives_of(config.get("objective", PRIMARY))[0],
        across_hosts=bool(config.get("compare_hosts", False)),
    )
    return [comparison.record() for comparison in compared]


def _side(point: PointRecord) -> Side:
    return Side(point.label, point.record["trials"], point.record["environment"].get("host"))


def _of_point(point: PointRecord) -> Subject:
    return Subject(
        folder=point.folder,
        title=f"{point.label}, {point.folder.parent.name} {point.folder.name.replace('-', ':', 1)[:5]}",
        points=[point],
        expected=1,
        baseline=None,
        comparisons=[],
        answer=None,
        ranking=[],
        front=None,
        fronted=[],
        race=[],
        out={},
        self_check=None,
        duplicate=None,
        trusted=True,
        warnings=[],
        command=point.record["command"],
        cut_short=was_cut_short(point.record),
    )
