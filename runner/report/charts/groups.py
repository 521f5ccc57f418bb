"""The points of a report as lines: grouped by panel and series, sorted by the horizontal axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runner.record.reading import PointRecord, value_of
from runner.report.layout import MOST_PANELS
from runner.report.paint import DASHES, MARKERS, SERIES
from runner.report.subject import Subject

Line = Sequence[tuple[float, PointRecord]]

# Colour, marker and dashes.
Look = tuple[str, str, object]


def panels_of(subject: Subject) -> dict[str, dict[str, Line]]:
    """The lines by panel and series; each has its points with their positions on the horizontal axis.

    If there are too many panels, those with the best points are kept. Empty if there is no horizontal axis.
    """
    panels: dict[str, dict[str, list[tuple[float, PointRecord]]]] = {}
    best: dict[str, float] = {}
    for point in subject.good:
        place = subject.places[point.label]
        if place.x is None:
            continue
        panels.setdefault(place.panel, {}).setdefault(place.series, []).append((place.x, point))
        best[place.panel] = max(best.get(place.panel, 0.0), value_of(point, "images_per_s") or 0.0)
    kept = set(sorted(panels, key=lambda panel: -best[panel])[:MOST_PANELS])
    return {
        panel: {name: sorted(line, key=lambda one: one[0]) for name, line in lines.items()}
        for panel, lines in panels.items()
        if panel in kept
    }


def left_out(subject: Subject) -> str:
    """A sentence on the panels that are not drawn; empty if all are."""
    every = {subject.places[point.label].panel for point in subject.good}
    more = len(every) - MOST_PANELS
    return (
        f" The {MOST_PANELS} combinations with the fastest points are drawn; {more} more are in the table." if more > 0 else ""
    )


def fewest_workers_of(subject: Subject, point: PointRecord) -> PointRecord | None:
    """The point on the same line with the fewest workers; None if the horizontal axis is not the number of workers."""
    if subject.layout.x is None or "workers" not in subject.layout.x.keys:
        return None
    place = subject.places[point.label]
    line = [
        (other.x, label)
        for label, other in subject.places.items()
        if (other.series, other.panel) == (place.series, place.panel)
        and other.x is not None
        and value_of(subject.by_label[label], "images_per_s") is not None
    ]
    return subject.by_label[min(line)[1]] if line else None


def looks(subject: Subject) -> Mapping[str, Look]:
    """Colour, marker and dashes of each series, the same in every chart of a report."""
    names = list(dict.fromkeys(subject.places[point.label].series for point in subject.points))
    return {
        name: (SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)], DASHES[index % len(DASHES)])
        for index, name in enumerate(names)
    }


def detail_looks(subject: Subject) -> Mapping[str, tuple[str, object]]:
    """Colour and dashes of each point that is shown in detail. Points of one series have its colour, and differ in their dashes."""
    drawn: dict[str, int] = {}
    styles = {}
    for point in subject.shown_in_detail:
        series = subject.places[point.label].series
        drawn[series] = drawn.get(series, -1) + 1
        styles[point.label] = (looks(subject)[series][0], DASHES[drawn[series] % len(DASHES)])
    return styles


def grid_of(count: int) -> tuple[int, int]:
    """Rows and columns for this number of panels: one column for one panel, otherwise two."""
    columns = 1 if count == 1 else 2
    return -(-count // columns), columns
