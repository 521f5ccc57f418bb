"""The records of points and sweeps, read from their folders: reports, MLflow runs and exports are made from these alone."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeGuard, cast

from runner.config.registry import mode_of
from runner.errors import RunnerError
from runner.files import ARTIFACTS
from runner.outside import within
from runner.record.factors import chosen_keys, varying_keys
from runner.record.gate import read_record
from runner.record.metric_schema import MetricName
from runner.record.point_schema import ResultJson
from runner.record.sweep_schema import ComparisonRecord, SweepJson, SweepPoint
from runner.record.trial_schema import EndedPhase, GoodTrial, PhaseRecord, TrialRecord

# The files that hold a point's record and a sweep's.
RESULT, SWEEP = "result.json", "sweep.json"

# A sweep's report, made from its record.
REPORT = "report.html"

# In a point's folder: records from before it was resumed under other conditions.
SET_ASIDE = "set_aside"

# The folder of the baseline's duplicate, beside those of a sweep's points.
SELF_CHECK = "self_check"


@dataclass(frozen=True)
class PointRecord:
    """A point that has at least one trial.

    Attributes:
        folder: where it lies.
        record: the content of its ``result.json``.
        label: its name within its sweep; of a point by itself, its own name.
        varying: the dotted names of what varies between the points of its sweep; of a point by itself, what its user
            chose to measure.
    """

    folder: Path
    record: ResultJson
    label: str
    varying: Sequence[str]

    @property
    def id(self) -> str:
        """Of the record, wherever it is copied to.

        Raises:
            RunnerError: the record is older than the ids.
        """
        return _id_of(self.record, self.folder / RESULT)

    @property
    def host(self) -> str:
        """The name of the host on which it was measured."""
        return self.record["environment"]["host"]


@dataclass(frozen=True)
class SweepRecord:
    """A sweep, which may have been cut short.

    Attributes:
        folder: where it lies.
        record: the content of its ``sweep.json``.
        measured: its points that have at least one trial, in their order.
    """

    folder: Path
    record: SweepJson
    measured: Sequence[PointRecord] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Of the record, wherever it is copied to.

        Raises:
            RunnerError: the record is older than the ids.
        """
        return _id_of(self.record, self.folder / SWEEP)

    @property
    def varying(self) -> Sequence[str]:
        """The dotted names of what varies between its points."""
        return self.measured[0].varying

    @cached_property
    def title(self) -> str:
        """What was swept, and when: ``mode × workers, 2026-01-31 12:00``."""
        first = self.measured[0].record
        preset = next((word.partition("=")[2] for word in first["overrides"] if word.startswith("experiment=")), None)
        what = preset if preset not in {None, "null"} else " × ".join(self.measured[0].varying) or "sweep"
        day, _, clock = f"{self.folder.parent.name} {self.folder.name}".partition(" ")
        return f"{what}, {day} {clock.replace('-', ':', 1)[:5]}" if day[:2] == "20" else f"{what}, {self.folder.name}"

    def comparisons_of(self, point: PointRecord) -> list[ComparisonRecord]:
        """The comparisons of this point with the baseline."""
        return [comparison for comparison in self.record["comparisons"] if comparison["point"] == point.label]


def read_folder(folder: Path) -> SweepRecord | PointRecord | None:
    """The sweep in this folder, or the point; None where the point has no trial yet.

    Raises:
        RunnerError: there is neither, or a record cannot be read.
    """
    if os.path.lexists(folder / SWEEP):
        return read_sweep(folder)
    if os.path.lexists(folder / RESULT):
        return read_point(folder)
    raise RunnerError(f"{folder}: holds no record of a sweep ({SWEEP}) or of a point ({RESULT})")


def read_point(folder: Path) -> PointRecord | None:
    """The point in this folder; None where it has no trial yet.

    Raises:
        RunnerError: its record cannot be read.
    """
    record = read_result(folder / RESULT)
    return PointRecord(folder, record, name_of(record), chosen_keys(record["overrides"])) if record["trials"] else None


def read_sweep(folder: Path) -> SweepRecord:
    """The sweep in this folder.

    Raises:
        RunnerError: its record, or that of one of its points, cannot be read.
    """
    sweep = read_sweep_json(folder / SWEEP)
    inside = [(entry["name"], within(folder, entry["folder"])) for entry in sweep["points"]]
    read = [(label, at, read_result(at / RESULT)) for label, at in inside if os.path.lexists(at / RESULT)]
    varying = varying_keys([record["config"] for _, _, record in read])
    return SweepRecord(
        folder, sweep, [PointRecord(at, record, label, varying) for label, at, record in read if record["trials"]]
    )


def read_result(path: Path) -> ResultJson:
    """The content of a ``result.json``.

    Raises:
        RunnerError: it is none that this program can read.
    """
    return cast("ResultJson", read_record(path, ResultJson))


def read_sweep_json(path: Path) -> SweepJson:
    """The content of a ``sweep.json``.

    Raises:
        RunnerError: it is none that this program can read.
    """
    return cast("SweepJson", read_record(path, SweepJson))


def name_of(record: ResultJson) -> str:
    """The point's own name: ``process-w10``; made from its configuration where the record is older than the names."""
    if "name" in record:
        return record["name"]
    config = record["config"]
    return mode_of(config).label(int(config["workers"]))


def spoken_name(label: str, config: Mapping[str, Any]) -> str:
    """``process × 10`` in a sentence, where that alone identifies the point; its label otherwise."""
    mode, workers = config.get("mode", {}).get("name"), config.get("workers")
    return f"{mode} × {workers}" if label == f"{mode}-w{workers}" else label


def workers_of(record: ResultJson) -> int:
    """How many workers the point had; its mode decides, for ``sequential`` has one whatever was asked for."""
    config = record["config"]
    return mode_of(config).effective_workers(int(config["workers"]))


def records_below(folder: Path) -> list[PointRecord | SweepRecord]:
    """Every sweep and every single point with a trial in ``folder`` or below, in the order of their paths.

    Raises:
        RunnerError: there is none, or one cannot be read.
    """
    read = [read_folder(at) for at in folders_of_records(folder)]
    records = [one for one in read if one is not None and not (isinstance(one, SweepRecord) and not one.measured)]
    if not records:
        raise _no_record(folder)
    return records


def folders_of_records(folder: Path) -> list[Path]:
    """The folder of every sweep and every single point in ``folder`` or below, in the order of their paths, sweeps first.

    Raises:
        RunnerError: there is none.
    """
    sweeps = _folders_with(SWEEP, folder)
    folders = [*sweeps, *(at for at in _folders_with(RESULT, folder) if not set(sweeps) & set(at.parents))]
    if not folders:
        raise _no_record(folder)
    return folders


def _no_record(folder: Path) -> RunnerError:
    return RunnerError(f"{folder}: holds no record of a sweep ({SWEEP}) or of a point ({RESULT}) with a trial")


def _folders_with(name: str, folder: Path) -> list[Path]:
    """Not those with MLflow's copies of the records, nor those of records that were set aside."""
    return sorted(
        path.parent for path in folder.rglob(name) if not {ARTIFACTS, SET_ASIDE} & set(path.relative_to(folder).parts)
    )


def median_trial(record: ResultJson) -> GoodTrial | None:
    """Of a point's trials that succeeded, the one in the middle by images per second; None where none did."""
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]

    def speed(trial: GoodTrial) -> float:
        return statistics.median(epoch["images_per_s"] for epoch in trial["epochs"])

    return sorted(good, key=speed)[(len(good) - 1) // 2] if good else None


def ended_phases(trial: TrialRecord) -> list[EndedPhase]:
    """The phases of a trial that came to their end, in their order."""

    def has_ended(phase: PhaseRecord) -> TypeGuard[EndedPhase]:
        return phase["wall_s"] is not None

    return [phase for phase in trial["phases"] if has_ended(phase)]


def was_interrupted(point: ResultJson | SweepPoint) -> bool:
    """Whether the user stopped the point before all its rounds were run."""
    return point["error"] is not None and point["error"]["type"] == "Interrupted"


def was_cut_short(point: ResultJson | SweepPoint) -> bool:
    """Whether the point has not had all its rounds: its user stopped it, or its program ended, or it runs still."""
    return point["status"] == "running" or was_interrupted(point)


def _id_of(record: ResultJson | SweepJson, path: Path) -> str:
    if "id" not in record:
        raise RunnerError(f"{path}: has no id, which identifies its run in MLflow: it was made before records had one")
    return record["id"]


def value_of(point: PointRecord, metric: MetricName) -> float | None:
    """The median of a metric over the point's trials; None where no trial has a value."""
    summary = point.record["metrics"].get(metric)
    return None if summary is None else summary["value"]


def good_trials(point: PointRecord) -> list[GoodTrial]:
    """The trials that succeeded."""
    return [trial for trial in point.record["trials"] if trial["status"] == "ok"]
