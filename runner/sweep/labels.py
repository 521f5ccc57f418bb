"""The names of points within their sweep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from runner.sweep.point import Point


def label_points(points: Sequence[Point]) -> None:
    """Label each point of a sweep with its name; if several have the same name, add what differs between them."""
    names = Counter(point.name for point in points)
    common = set.intersection(*(set(point.overrides) for point in points)) if points else set()
    labels: set[str] = set()
    for number, point in enumerate(points):
        label = point.name
        if names[label] > 1:
            varying = [word for word in point.overrides if word not in common and not word.startswith(("mode=", "workers="))]
            label = f"{label} {' '.join(varying)}".strip()
        point.label = label if label not in labels else f"{label} #{number}"
        labels.add(point.label)
