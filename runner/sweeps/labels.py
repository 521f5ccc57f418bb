"""The names of points within their sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.errors import ConfigurationError

if TYPE_CHECKING:
    from runner.sweeps.point import Point


def label_points(points: Sequence[Point]) -> None:
    """Label each point of a sweep with its name; if several have the same name, add what differs between them."""
    names = Counter(point.title or point.name for point in points)
    common = set.intersection(*(set(point.overrides) for point in points)) if points else set()
    labels: set[str] = set()
    for number, point in enumerate(points):
        label = point.title or point.name
        if names[label] > 1:
            varying = [word for word in point.overrides if word not in common and not word.startswith(("mode=", "workers="))]
            label = f"{label} {' '.join(varying)}".strip()
        point.label = label if label not in labels else f"{label} #{number}"
        labels.add(point.label)


def chosen_baseline(points: Sequence[Point]) -> Point:
    """The point that ``baseline`` names, by label or number; by default the first. Labels the points.

    Raises:
        ConfigurationError: there is no such point.
    """
    label_points(points)
    wanted = points[0].config.baseline
    if wanted is None:
        return points[0]
    for number, point in enumerate(points):
        if wanted in {point.label, str(number)}:
            return point
    raise no_such_point(wanted, [point.label for point in points])


def no_such_point(wanted: str, labels: Sequence[str]) -> ConfigurationError:
    """The error for a baseline that is none of the points."""
    return ConfigurationError("baseline", wanted, "there is no such point in the sweep", ", ".join(labels))
