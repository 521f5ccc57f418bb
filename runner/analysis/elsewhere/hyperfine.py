"""hyperfine's ``--export-json``: a time for each run of each command, in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.analysis.elsewhere.values import Measured, numbered, positive
from runner.analysis.elsewhere.whole import Whole
from runner.analysis.readings import Key

_NOTE = (
    "hyperfine runs one command after the other, so what the machine did meanwhile is in the differences; values that were measured in turn "
    "say more"
)


def is_one(content: Mapping[str, Any]) -> bool:
    """Whether it has the keys of such a file."""
    return "results" in content


def read(whole: Whole) -> Measured:
    """The times of each command by run.

    Raises:
        BadFile: with the line that is wrong.
    """
    results = whole.objects(["results"], whole.content["results"])
    names = numbered([str(result.get("command", place)) for place, result in enumerate(results)])
    points: dict[str, dict[Key, float]] = {}
    for place, (name, result) in enumerate(zip(names, results, strict=True)):
        path: list[str | int] = ["results", place, "times"]
        times = result.get("times")
        if not isinstance(times, list) or not times:
            raise whole.bad(path if "times" in result else path[:-1], f"{name} has no list of times")
        points[name] = {}
        for number, time in enumerate(times):
            if (value := positive(time)) is None:
                raise whole.bad([*path, number], f"times[{number}] of {name} is no number above 0")
            points[name][Key("", number)] = value
    return Measured(points, lower_is_better=True, notes=[_NOTE] if len(points) > 1 else [])
