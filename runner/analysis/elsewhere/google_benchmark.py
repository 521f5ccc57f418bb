"""google/benchmark's ``--benchmark_out_format=json``: the real time of each repetition, in seconds an iteration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.analysis.elsewhere.values import BadFile, Measured, positive
from runner.analysis.elsewhere.whole import Whole
from runner.analysis.readings import Key

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_NOTE = (
    "unless it ran with --benchmark_enable_random_interleaving, the repetitions of one benchmark came after those of the other, and what the "
    "machine did meanwhile is in the differences"
)


def is_one(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of such a file."""
    return "context" in content and "benchmarks" in content


def read(whole: Whole) -> Measured:
    """The times of each benchmark by repetition; aggregates and repetitions that ended with an error are left out.

    Raises:
        BadFile: with the line that is wrong.
    """
    points: dict[str, dict[Key, float]] = {}
    failed = 0
    for place, entry in enumerate(whole.objects(["benchmarks"], whole.content["benchmarks"])):
        if entry.get("run_type", "iteration") != "iteration":
            continue
        if entry.get("error_occurred"):
            failed += 1
            continue
        name = str(entry.get("run_name", entry.get("name", place)))
        values = points.setdefault(name, {})
        repetition = entry.get("repetition_index", len(values))
        if not isinstance(repetition, int):
            raise whole.bad(["benchmarks", place, "repetition_index"], f"repetition_index of {name} is no integer")
        values[Key("", repetition)] = _seconds(whole, place, name, entry)
    if not points:
        raise BadFile(1, "has no repetitions, only aggregates or errors; run it without --benchmark_report_aggregates_only")
    notes = [_NOTE] if len(points) > 1 else []
    notes += [f"{failed} repetitions ended with an error and are left out"] if failed else []
    return Measured(points, lower_is_better=True, notes=notes)


def _seconds(whole: Whole, place: int, name: str, entry: Mapping[str, Any]) -> float:
    path: list[str | int] = ["benchmarks", place]
    value, unit = positive(entry.get("real_time")), entry.get("time_unit", "ns")
    if value is None:
        where = [*path, "real_time"] if "real_time" in entry else path
        raise whole.bad(where, f"real_time of {name} is no number above 0")
    if unit not in _UNITS_S:
        raise whole.bad([*path, "time_unit"], f"time_unit={unit}: is none of {', '.join(_UNITS_S)}")
    return value * _UNITS_S[unit]
