"""The one gate for records: whatever reads a record gets it from here, held against its type, or is refused in the same words.

A record may be a stranger's. So its file is read only where it is a file, up to a size; and what it says is data: nothing in it is
resolved, imported, contacted, followed, written to or removed by reading it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.errors import RunnerError
from runner.outside import bytes_of
from runner.record.former_names import rename_old_keys
from runner.record.limits import LARGEST
from runner.record.point_schema import ResultJson
from runner.record.shape import misfit
from runner.record.sweep_schema import SweepJson

SCHEMA_VERSION = 1

# The most that a record has: a hundred thousand trials, and its deepest nesting many times over.
_MOST_BYTES, _DEEPEST = 512_000_000, 64


def read_record(path: Path, kind: Any) -> Any:
    """What is in the file, which has the shape of ``kind``: the one place where records are read.

    Raises:
        RunnerError: it is no such record; all readers refuse in these words.
    """
    try:
        content = _content_of(path)
    except FileNotFoundError as error:
        what = "a sweep" if kind is SweepJson else "a point"
        raise RunnerError(f"{path.parent}: holds no record of {what} ({path.name})") from error
    except (OSError, ValueError, RecursionError) as error:
        why: str | None = getattr(error, "strerror", None) or str(error)
    else:
        version = content.get("schema_version") if isinstance(content, dict) else None
        if type(version) is int and version > SCHEMA_VERSION:
            why = f"its schema_version is {version}, which a newer version of this program has written"
        elif isinstance(content, dict) and (type(version) is not int or version < 1):
            why = f"its schema_version is {version!r:.60}"
        else:
            why = misfit(content, kind)
            if why is None and kind is ResultJson:
                rename_old_keys(content)
    if why is not None:
        raise RunnerError(
            f"{path}: is not a record of this program: {why}\n  accepted: a {path.name} with schema_version {SCHEMA_VERSION}"
        )
    return content


def _content_of(path: Path) -> Any:
    """What the JSON in a file says."""
    content = json.loads(bytes_of(path, _MOST_BYTES).decode("utf-8"), parse_constant=_refuse_constant)
    inside = [content]
    for _ in range(_DEEPEST):
        inside = [value for one in inside if isinstance(one, dict | list) for value in _values(one)]
        if not inside:
            return content
    raise ValueError(f"it is nested in more than {_DEEPEST} levels")


def _values(one: dict[str, Any] | list[Any]) -> Iterable[Any]:
    values = one if isinstance(one, list) else one.values()
    for value in values:
        if isinstance(value, int | float) and not -LARGEST < value < LARGEST:
            raise ValueError(f"{value!r:.40} is too large a number")
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")
