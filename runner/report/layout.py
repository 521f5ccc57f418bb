"""Which of the factors that a sweep varies goes on the horizontal axis, which into colours, and which into panels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.registry import mode_of
from runner.record.factors import flattened
from runner.record.reading import PointRecord

# More lines than this in one chart cannot be distinguished by colour and marker.
MOST_SERIES = 7

# More panels than this are not looked at; the best are drawn and the table has the rest.
MOST_PANELS = 6

# What stands for a factor that a point does not have, such as mode.start_method of threads.
ABSENT = "-"


@dataclass(frozen=True)
class Factor:
    """What varies between points: one key of the configuration, or several that vary in step.

    Attributes:
        keys: dotted names.
        levels: the different values, in the order in which they were given; numbers in their order.
        numeric: whether every level is a number.
    """

    keys: tuple[str, ...]
    levels: tuple[Any, ...]
    numeric: bool

    @property
    def name(self) -> str:
        """As an axis has it."""
        return " / ".join(self.keys)

    @property
    def short(self) -> str:
        """As a heading has it: the group where all keys are of one, otherwise the last part of the first key."""
        groups = {key.partition(".")[0] for key in self.keys}
        return groups.pop() if len(self.keys) > 1 and len(groups) == 1 else self.keys[0].rpartition(".")[2]

    def of(self, config: Mapping[str, Any]) -> Any:
        """The level that a flattened configuration has."""
        return _level(config, self.keys[0]) if self.numeric else self.text(config)

    def text(self, config: Mapping[str, Any]) -> str:
        """The levels of all its keys."""
        return "/".join(str(_level(config, key)) for key in self.keys)


@dataclass(frozen=True)
class Position:
    """Where a point is drawn: its number on the horizontal axis, None where there is none, its series and its panel."""

    x: float | None
    series: str
    panel: str


@dataclass(frozen=True)
class Layout:
    """The chosen axes.

    Attributes:
        x: on the horizontal axis; None where no factor is a number.
        series: shown by colour and marker; None where there is one.
        panels: all others.
    """

    x: Factor | None
    series: Factor | None
    panels: tuple[Factor, ...]

    def place(self, point: PointRecord) -> Position:
        """Where this point belongs."""
        config = flattened(point.record["config"])
        x = None if self.x is None else self.x.of(config)
        series = point.label if self.series is None and self.x is None else self._text(self.series, config, bare=True)
        return Position(
            x=None if x is None or x == ABSENT else float(x),
            series=series,
            panel=", ".join(self._text(factor, config) for factor in self.panels if factor.of(config) != ABSENT),
        )

    @staticmethod
    def _text(factor: Factor | None, config: Mapping[str, Any], *, bare: bool = False) -> str:
        if factor is None:
            return str(config.get("mode", "all points"))
        level = factor.text(config)
        return level if bare and not factor.numeric else f"{factor.short}={level}"


def chosen_layout(points: Sequence[PointRecord]) -> Layout:
    """The axes for these points: workers on the horizontal one where they vary, the mode by colour, the rest in panels.

    Where workers do not vary, the number with the most levels takes their place; where the mode does not, the factor with the most
    levels that colours can still distinguish.
    """
    rest = factors(points)
    numbers = [factor for factor in rest if factor.numeric and len(factor.levels) > 1]
    x = next((factor for factor in numbers if "workers" in factor.keys), None)
    x = x or max(numbers, key=lambda factor: len(factor.levels), default=None)
    rest = [factor for factor in rest if factor is not x]
    drawn = [factor for factor in rest if len(factor.levels) <= MOST_SERIES]
    series = next((factor for factor in drawn if "mode" in factor.keys), None)
    series = series or max(drawn, key=lambda factor: len(factor.levels), default=None)
    return Layout(x, series, tuple(factor for factor in rest if factor is not series))


def factors(points: Sequence[PointRecord]) -> list[Factor]:
    """What varies between the points; keys that vary in step are one factor."""
    configs = [flattened(point.record["config"]) for point in points]
    columns: dict[tuple[int, ...], list[str]] = {}
    for key in points[0].varying if points else ():
        known: dict[str, int] = {}
        pattern = tuple(known.setdefault(json.dumps(_level(config, key)), len(known)) for config in configs)
        if len(known) > 1:
            columns.setdefault(pattern, []).append(key)
    return [_factor(keys, configs) for keys in columns.values()]


def _factor(keys: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> Factor:
    # In step with the mode or with workers, it is by these that people know the points.
    first = sorted(keys, key=lambda key: key not in {"mode", "workers"})
    levels = list(dict.fromkeys(json.dumps(_level(config, first[0])) for config in configs))
    values = [json.loads(level) for level in levels]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values if value != ABSENT)
    numeric = numeric and any(value != ABSENT for value in values)
    if numeric:
        numbers = sorted(value for value in values if value != ABSENT)
        return Factor(tuple(first), tuple(numbers), numeric=True)
    factor = Factor(tuple(first), (), numeric=False)
    return Factor(tuple(first), tuple(dict.fromkeys(factor.of(config) for config in configs)), numeric=False)


def _level(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(key, ABSENT)
    if key == "workers" and value != ABSENT and "mode" in config:
        return mode_of({"mode": {"name": config["mode"]}}).effective_workers(value)
    return ABSENT if value is None else value
