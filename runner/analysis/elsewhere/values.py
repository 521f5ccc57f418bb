"""What the readers of other programs' files hand back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from runner.analysis.readings import Key, Reading


class BadFile(ValueError):
    """A file that cannot be read.

    Attributes:
        line: the line where something is wrong, from 1.
        why: what.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


@dataclass(frozen=True)
class Measured:
    """The values of some points.

    Attributes:
        points: for each name the values by session and round, in the order of the file.
        lower_is_better: whether they are times; None where the file does not say.
        notes: what should be known before something is concluded from them.
    """

    points: Mapping[str, Mapping[Key, float]]
    lower_is_better: bool | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    def readings(self) -> dict[str, dict[Key, Reading]]:
        """The values as logarithms."""
        return {
            name: {key: Reading(math.log(value), place) for place, (key, value) in enumerate(values.items())}
            for name, values in self.points.items()
        }


def positive(value: object) -> float | None:
    """The number, where it is one that has a logarithm."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def numbered(names: Sequence[str]) -> list[str]:
    """The names, those that come again with a number behind them."""
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return told
