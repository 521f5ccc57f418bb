"""Values that something else has measured, read from its files: text in, points with their values by round out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from runner.analysis.elsewhere import google_benchmark, hyperfine, pyperf, table
from runner.analysis.elsewhere.values import BadFile, Measured
from runner.analysis.elsewhere.whole import Whole

__all__ = ["ACCEPTED", "BadFile", "Measured", "measured_elsewhere"]

ACCEPTED = (
    "a CSV file with the columns point, round, value and perhaps session; the JSON of pyperf, hyperfine or google/benchmark"
)

# Which file it is: the first whose keys are there.
_KINDS: Mapping[str, tuple[Callable[[Mapping[str, Any]], bool], Callable[[Whole], Measured]]] = {
    "hyperfine": (hyperfine.is_one, hyperfine.read),
    "google/benchmark": (google_benchmark.is_one, google_benchmark.read),
    "pyperf": (pyperf.is_one, pyperf.read),
}


def measured_elsewhere(text: str) -> Measured:
    """The values in the text of a file.

    Raises:
        BadFile: it is no such file; the message has the line where something is wrong.
    """
    if not text.strip():
        raise BadFile(1, "there is nothing in it")
    if text.lstrip("\ufeff \t\r\n")[:1] not in {"{", "["}:
        return table.read(text)
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        raise BadFile(error.lineno, f"is no JSON: {error.msg}") from error
    except RecursionError as error:
        raise BadFile(1, "is nested too deeply") from error
    if isinstance(content, dict):
        for is_one, read in _KINDS.values():
            if is_one(content):
                return read(Whole(text.removeprefix("\ufeff"), content))
    raise BadFile(1, f"is the JSON of none of {', '.join(_KINDS)}")
