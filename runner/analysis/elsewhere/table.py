"""A table of values, one in each line: ``point,round,value`` and perhaps ``session``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from runner.analysis.elsewhere.values import BadFile, Measured, positive
from runner.analysis.readings import Key

_REQUIRED = ("point", "round", "value")
_KNOWN = (*_REQUIRED, "session")


def read(text: str) -> Measured:
    """The values of a CSV file whose first line names the columns, in any order.

    Raises:
        BadFile: with the line that is wrong.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    points: dict[str, dict[Key, float]] = {}
    columns: list[str] = []
    try:
        for row in lines:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not columns:
                columns = _columns(cells, lines.line_num)
                continue
            name, key, value = _value(cells, columns, lines.line_num)
            values = points.setdefault(name, {})
            if key in values:
                of_session = f" of session {key.session}" if key.session else ""
                raise BadFile(lines.line_num, f"{name} has a value in round {key.round}{of_session} already")
            values[key] = value
    except csv.Error as error:
        raise BadFile(lines.line_num, f"is no CSV: {error}") from error
    if not points:
        raise BadFile(lines.line_num, "there are no values")
    return Measured(points)


def _columns(cells: Sequence[str], line: int) -> list[str]:
    columns = [cell.lower() for cell in cells]
    if missing := [name for name in _REQUIRED if name not in columns]:
        raise BadFile(
            line, f"the first line has no column {' and no column '.join(missing)}; it begins such as point,round,value"
        )
    if odd := [name for name in columns if name not in _KNOWN]:
        raise BadFile(line, f"there is no column {odd[0] or 'without a name'}; there are {', '.join(_KNOWN)}")
    if len(set(columns)) < len(columns):
        raise BadFile(line, "a column is there twice")
    return columns


def _value(cells: Sequence[str], columns: Sequence[str], line: int) -> tuple[str, Key, float]:
    if len(cells) != len(columns):
        raise BadFile(line, f"has {len(cells)} field{'' if len(cells) == 1 else 's'} instead of {len(columns)}")
    row = dict(zip(columns, cells, strict=True))
    if not row["point"]:
        raise BadFile(line, "the point has no name")
    try:
        number = int(row["round"])
    except ValueError:
        raise BadFile(line, f"round={row['round']}: is no integer") from None
    try:
        value = positive(float(row["value"]))
    except ValueError:
        value = None
    if value is None:
        raise BadFile(line, f"value={row['value']}: is no number above 0")
    return row["point"], Key(row.get("session", ""), number), value
