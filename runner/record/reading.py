"""The records of points and sweeps, read back from their folders: all that anything made later is made from."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.config.fields import MEASURING
from runner.config.registry import BESIDE, KEYS, keys_of
from runner.errors import RunnerError
from runner.files import ARTIFACTS

SCHEMA_VERSION = 1

# The folder of the baseline's duplicate, beside those of a sweep's points.
SELF_CHECK = "self_check"

# What differs between points without making them different.
_NO_FACTORS = {*keys_of(lambda role: not role.varies), *BESIDE}

# How it is measured, rather than what.
_HOW = {key for key, spec in KEYS.items() if spec.metadata["role"] is MEASURING}


@dataclass(frozen=True)
class PointRecord:
    """A point that has at least one trial.

    Attributes:
        folder: where it lies.
        record: the content of its ``result.json``.
        label: its name within its sweep.
        varying: the dotted names of what varies between the points of its sweep; of a point by itself, what its user
            chose to measure.
    """

    folder: Path
    record: Mapping[str, Any]
    label: str
    varying: Sequence[str]


@dataclass(frozen=True)
class SweepRecord:
    """A sweep, which may have been cut short.

    Attributes:
        folder: where it lies.
        record: the content of its ``sweep.json``.
        measured: its points that have at least one trial, in their order.
    """

    folder: Path
    record: Mapping[str, Any]
    measured: Sequence[PointRecord] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Of the record, wherever it is copied to."""
        return str(self.record["id"])

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

    def comparisons_of(self, point: PointRecord) -> list[Mapping[str, Any]]:
        """Those of this point with the baseline."""
        return [found for found in self.record["comparisons"] if found["point"] == point.label]


def read_point(folder: Path) -> PointRecord | None:
    """The point in this folder; None where it has no trial yet.

    Raises:
        RunnerError: its record cannot be read.
    """
    record = _read(folder / "result.json")
    chosen = [
        key for word in record["overrides"] if _is_factor(key := word.partition("=")[0]) and key.split(".")[0] not in _HOW
    ]
    return PointRecord(folder, record, record["name"], chosen) if record["trials"] else None


def read_sweep(folder: Path) -> SweepRecord:
    """The sweep in this folder.

    Raises:
        RunnerError: its record, or that of one of its points, cannot be read.
    """
    sweep = _read(folder / "sweep.json")
    inside = [(entry["name"], folder / entry["folder"]) for entry in sweep["points"]]
    read = [(label, at, _read(at / "result.json")) for label, at in inside if (at / "result.json").is_file()]
    varying = varying_keys([record["config"] for _, _, record in read])
    return SweepRecord(
        folder, sweep, [PointRecord(at, record, label, varying) for label, at, record in read if record["trials"]]
    )


def records_below(folder: Path) -> list[PointRecord | SweepRecord]:
    """Every sweep and every single point with a trial in ``folder`` or below, in the order of their paths.

    Raises:
        RunnerError: there is none, or one cannot be read.
    """
    sweeps = _folders_with("sweep.json", folder)
    points = [at for at in _folders_with("result.json", folder) if at.parent not in sweeps]
    found: list[PointRecord | SweepRecord] = [sweep for at in sweeps if (sweep := read_sweep(at)).measured]
    found += [point for at in points if (point := read_point(at)) is not None]
    if not found:
        raise RunnerError(f"{folder}: holds no record of a sweep (sweep.json) or of a point (result.json) with a trial")
    return found


def _folders_with(name: str, folder: Path) -> list[Path]:
    """Not those with MLflow's copies of the records."""
    return sorted(path.parent for path in folder.rglob(name) if ARTIFACTS not in path.relative_to(folder).parts)


def varying_keys(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The dotted names of what is not the same in all of these configurations that have it at all."""
    flat = [flattened(config) for config in configs]
    keys = dict.fromkeys(key for one in flat for key in one)
    return [key for key in keys if _is_factor(key) and len({json.dumps(one[key]) for one in flat if key in one}) > 1]


def median_trial(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Of a point's trials that went well, the one in the middle by images per second; None where none did."""
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]

    def speed(trial: Mapping[str, Any]) -> float:
        return float(statistics.median(epoch["images_per_s"] for epoch in trial["epochs"]))

    return sorted(good, key=speed)[(len(good) - 1) // 2] if good else None


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A configuration as dotted names and values: ``mode`` is the option's name, ``mode.start_method`` its field."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        elif key == "name" and prefix:
            flat[prefix.rstrip(".")] = value
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _is_factor(key: str) -> bool:
    return key.partition(".")[0] not in _NO_FACTORS


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunnerError(f"{path}: cannot be read as a record: {error}") from error
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise RunnerError(f"{path}: is not a record of this program (schema_version {SCHEMA_VERSION})")
    return content


def value_of(point: PointRecord, metric: str) -> float | None:
    """The median of a metric over the point's trials; None where none could tell."""
    value: float | None = point.record["metrics"].get(metric, {}).get("value")
    return value


def good_trials(point: PointRecord) -> list[Mapping[str, Any]]:
    """The trials that went well."""
    return [trial for trial in point.record["trials"] if trial["status"] == "ok"]
