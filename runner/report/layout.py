"""Decides which of a sweep's factors is the horizontal axis, which is shown by colour, and which by panels."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.registry import mode_of
from runner.record.factors import flattened
from runner.record.reading import PointRecord

# Colour and marker can distinguish no more lines than this in one chart.
MOST_SERIES = 7

# The most panels; those with the best points are drawn, and the table has the rest.
MOST_PANELS = 6

# What stands for a factor that a point does not have, such as mode.start_method of threads.
ABSENT = "-"


@dataclass(frozen=True)
class Factor:
    """What varies between points: one key of the configuration, or several that always vary together.

    Attributes:
        keys: dotted names.
        levels: the different values: numbers in ascending order, others in the order in which they were given.
        numeric: whether every level is a number.
    """

    keys: tuple[str, ...]
    levels: tuple[Any, ...]
    numeric: bool

    @property
    def name(self) -> str:
        """The name for an axis."""
        return " / ".join(self.keys)

    @property
    def short(self) -> str:
        """The name for a heading: the group if all keys belong to one, otherwise the last part of the first key."""
        groups = {key.partition(".")[0] for key in self.keys}
        return groups.pop() if len(self.keys) > 1 and len(groups) == 1 else self.keys[0].rpartition(".")[2]

    def level_of(self, config: Mapping[str, Any]) -> Any:
        """The level in a flattened configuration."""
        return _level(config, self.keys[0]) if self.numeric else self.text(config)

    def text(self, config: Mapping[str, Any]) -> str:
        """The levels of all keys in a flattened configuration, such as ``1/1``."""
        return "/".join(str(_level(config, key)) for key in self.keys)


@dataclass(frozen=True)
class Position:
    """Where a point is drawn: its number on the horizontal axis (None without one), its series and its panel."""

    x: float | None
    series: str
    panel: str


@dataclass(frozen=True)
class Layout:
    """The chosen axes.

    Attributes:
        x: the factor on the horizontal axis; None if no factor is a number.
        series: the factor that is shown by colour and marker; None if there is only one line.
        panels: all other factors.
    """

    x: Factor | None
    series: Factor | None
    panels: tuple[Factor, ...]

    def place(self, point: PointRecord) -> Position:
        """Where this point is drawn."""
        config = flattened(point.record["config"])
        x = None if self.x is None else self.x.level_of(config)
        series = point.label if self.series is None and self.x is None else self._text(self.series, config, bare=True)
        return Position(
            x=None if x is None or x == ABSENT else float(x),
            series=series,
            panel=", ".join(self._text(factor, config) for factor in self.panels if factor.level_of(config) != ABSENT),
        )

    @staticmethod
    def _text(factor: Factor | None, config: Mapping[str, Any], *, bare: bool = False) -> str:
        if factor is None:
            return str(config.get("mode", "all points"))
        level = factor.text(config)
        return level if bare and not factor.numeric else f"{factor.short}={level}"


def chosen_layout(points: Sequence[PointRecord]) -> Layout:
    """The axes for these points: workers on the horizontal axis, the mode by colour, all other factors by panels.

    If workers do not vary, the number with the most levels is the horizontal axis. If the mode does not vary, colours show the factor with
    the most levels that they can distinguish.
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
    """The factors that vary between the points; keys that always vary together are one factor."""
    configs = [flattened(point.record["config"]) for point in points]
    columns: dict[tuple[int, ...], list[str]] = {}
    for key in points[0].varying if points else ():
        known: dict[str, int] = {}
        pattern = tuple(known.setdefault(json.dumps(_level(config, key)), len(known)) for config in configs)
        if len(known) > 1:
            columns.setdefault(pattern, []).append(key)
    return [_factor(keys, configs) for keys in columns.values()]


def _factor(keys: Sequence[str], configs: Sequence[Mapping[str, Any]]) -> Factor:
    # People know points by mode and workers, so a factor that contains one of them is named after it.
    first = sorted(keys, key=lambda key: key not in {"mode", "workers"})
    levels = list(dict.fromkeys(json.dumps(_level(config, first[0])) for config in configs))
    values = [json.loads(level) for level in levels]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values if value != ABSENT)
    numeric = numeric and any(value != ABSENT for value in values)
    if numeric:
        numbers = sorted(value for value in values if value != ABSENT)
        return Factor(tuple(first), tuple(numbers), numeric=True)
    factor = Factor(tuple(first), (), numeric=False)
    return Factor(tuple(first), tuple(dict.fromkeys(factor.level_of(config) for config in configs)), numeric=False)


def _level(config: Mapping[str, Any], key: str) -> Any:
    value = config.get(key, ABSENT)
    if key == "workers" and value != ABSENT and "mode" in config:
        return mode_of({"mode": {"name": config["mode"]}}).effective_workers(value)
    return ABSENT if value is None else value
