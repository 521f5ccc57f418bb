"""pyperf's JSON: runs, each a process of its own, with their values. A run is a round, its value the mean of those within it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from runner.analysis.elsewhere.values import Measured, numbered, positive
from runner.analysis.elsewhere.whole import Whole
from runner.analysis.readings import Key

_NOTE = (
    "pyperf runs all processes of one benchmark, then those of the next, so what the machine did meanwhile is in the differences; values that "
    "were measured in turn say more"
)


def is_one(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of such a file."""
    return "benchmarks" in content


def read(whole: Whole) -> Measured:
    """The mean of each run of each benchmark; runs that only calibrate have no values, and are left out.

    Raises:
        BadFile: with the line that is wrong.
    """
    benchmarks = whole.objects(["benchmarks"], whole.content["benchmarks"])
    names = numbered([_name(whole.content, benchmark, place) for place, benchmark in enumerate(benchmarks)])
    points = {}
    for place, (name, benchmark) in enumerate(zip(names, benchmarks, strict=True)):
        path: list[str | int] = ["benchmarks", place, "runs"]
        if "runs" not in benchmark:
            raise whole.bad(path[:-1], f"{name} has no runs")
        means = []
        for number, run in enumerate(whole.objects(path, benchmark["runs"])):
            if "values" in run:
                means.append(_mean(whole, [*path, number, "values"], name, run["values"]))
        if not means:
            raise whole.bad(path, f"no run of {name} has values")
        points[name] = {Key("", number): mean for number, mean in enumerate(means)}
    return Measured(points, lower_is_better=True, notes=[_NOTE] if len(points) > 1 else [])


def _name(content: Mapping[str, Any], benchmark: Mapping[str, Any], place: int) -> str:
    for part in (benchmark, content):
        metadata = part.get("metadata")
        if isinstance(metadata, dict) and isinstance(metadata.get("name"), str):
            return str(metadata["name"])
    return f"benchmark {place}"


def _mean(whole: Whole, path: list[str | int], name: str, values: object) -> float:
    if not isinstance(values, list) or not values:
        raise whole.bad(path, f"a run of {name} has no list of values")
    numbers = [positive(value) for value in values]
    for place, number in enumerate(numbers):
        if number is None:
            raise whole.bad([*path, place], f"values[{place}] of a run of {name} is no number above 0")
    return statistics.fmean(number for number in numbers if number is not None)
