"""Names of points in tables of a given width: figures have their room, and a name that is too long is shortened in its middle."""

from __future__ import annotations

from collections.abc import Sequence

# What a table has around each cell, and the least of a name that is shown.
_AROUND, _LEAST = 3, 12


def room_for_names(rows: Sequence[Sequence[str]], titles: Sequence[str], width: int) -> int:
    """How wide the first column may be so that all others fit into a table of ``width`` characters; their titles may be folded at blanks."""
    others = 0
    for place, title in enumerate(titles[1:], 1):
        cells = [len(row[place]) for row in rows]
        others += max([*cells, *map(len, title.split())]) + _AROUND
    return max(_LEAST, width - others - _AROUND - 1)


def shortened(name: str, width: int) -> str:
    """The name, in ``width`` characters: its beginning and its end where it is longer."""
    if len(name) <= width:
        return name
    end = (width - 1) // 2
    return f"{name[: width - 1 - end]}…{name[len(name) - end :]}"
