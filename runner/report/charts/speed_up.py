"""Speed-up and efficiency by the number of workers, each with the line of perfect scaling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.analysis.bounds import bounds_of
from runner.record.reading import value_of
from runner.report.charts.groups import Line, Look, grid_of, left_out, looks, panels_of
from runner.report.paint import HEIGHT, PAPER, QUIET, WIDTH, figure, label_lines, workers_axis
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

_PERFECT = {"color": QUIET, "linewidth": 1, "linestyle": (0, (4, 3))}

Values = list[tuple[float, float]]


@dataclass(frozen=True)
class _Kind:
    """What distinguishes the two charts.

    Attributes:
        name, title, caption: those of the chart.
        label: of the vertical axis.
        values: returns the values of a line.
        perfect: draws the line of perfect scaling from the fewest to the most workers, and sets the limits for the highest value.
        bounded: whether the lowest bound of each line is drawn.
    """

    name: str
    title: str
    caption: str
    label: str
    values: Callable[[Line], Values]
    perfect: Callable[[Any, float, float, float], None]
    bounded: bool = False


def draw_speed_up(subject: Subject) -> Chart | None:
    """The chart of speed-up; None if workers do not vary, or no line has two worker counts."""
    caption = (
        "Throughput ÷ that of the fewest workers on the same line. Dashed: perfect scaling. Dotted, in a line's colour: the lowest of its other "
        "bounds, if it is near; the table below has all bounds."
    )
    return _drawn(
        subject, _Kind("speed-up", "Speed-up", caption, "times the throughput", speed_up, _perfect_speed_up, bounded=True)
    )


def draw_efficiency(subject: Subject) -> Chart | None:
    """The chart of efficiency; None if there is no chart of speed-up."""
    caption = "Speed-up ÷ the factor in workers: what each worker still contributes."
    return _drawn(
        subject, _Kind("efficiency", "Efficiency", caption, "% of perfect scaling", efficiency_pct, _perfect_efficiency)
    )


def speed_up(line: Line) -> Values:
    """For each position on a line its throughput ÷ that of the first."""
    first = value_of(line[0][1], "images_per_s") or 1.0
    return [(place, (value_of(point, "images_per_s") or 0.0) / first) for place, point in line]


def efficiency_pct(line: Line) -> Values:
    """For each position on a line its speed-up ÷ the factor in workers, in per cent."""
    return [(place, speed * line[0][0] / place * 100) for place, speed in speed_up(line)]


def _drawn(subject: Subject, kind: _Kind) -> Chart | None:
    panels = _panels(subject)
    if not panels:
        return None
    rows, columns = grid_of(len(panels))
    look_of = looks(subject)
    highest = max(value for lines in panels.values() for line in lines.values() for _, value in kind.values(line))
    with figure(rows, columns, size=(WIDTH * columns, HEIGHT * rows), sharey=len(panels) > 1) as (drawn, grid):
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (panel, lines) in zip(grid.flat, panels.items(), strict=False):
            every = sorted({place for line in lines.values() for place, _ in line})
            workers_axis(axes, every, "workers")
            kind.perfect(axes, every[0], every[-1], highest)
            axes.set_ylabel(kind.label)
            if panel:
                axes.set_title(panel)
            label_lines(axes, [_draw_line(axes, kind, series, line, look_of[series]) for series, line in lines.items()])
        description = "; ".join(_last_values(kind, panels)[:12])
        svg = as_svg(drawn, kind.name, f"{kind.title}, {kind.label}. {description}.")
    return Chart(kind.name, kind.title, kind.caption + left_out(subject), description, svg, wide=len(panels) > 1)


def _draw_line(axes: Any, kind: _Kind, series: str, line: Line, look: Look) -> tuple[float, float, str, str]:
    """Draw one line, and its lowest bound if the chart has bounds; returns where the line ends, its name and its colour."""
    colour, marker, dash = look
    values = kind.values(line)
    axes.plot(
        [place for place, _ in values], [value for _, value in values], color=colour, marker=marker, linestyle=dash,
        markeredgecolor=PAPER, markeredgewidth=0.8,
    )  # fmt: skip
    if kind.bounded and (bound := _lowest_bound(line)):
        places, heights = [place for place, _, _ in bound], [height for _, height, _ in bound]
        axes.plot(places, heights, color=colour, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.annotate(
            f"bound: {bound[-1][2]}", (places[-1], heights[-1]), xytext=(-2, 3), textcoords="offset points", color=colour,
            fontsize=8, ha="right", va="bottom",
        )  # fmt: skip
    return (*values[-1], series, colour)


def _last_values(kind: _Kind, panels: Mapping[str, Mapping[str, Line]]) -> list[str]:
    """The last value of each line, in words."""
    words = []
    for panel, lines in panels.items():
        for series, line in lines.items():
            workers, value = kind.values(line)[-1]
            words.append(f"{series}{f' ({panel})' if panel else ''}: {value:.3g} with {workers:g} workers")
    return words


def _lowest_bound(line: Line) -> list[tuple[float, float, str]]:
    """Position, height and name of the lowest bound. The bound by the number of workers is left out: it is the line of perfect scaling."""
    first = value_of(line[0][1], "images_per_s") or 1.0
    top = 1.6 * max(speed for _, speed in speed_up(line))
    curve = []
    for place, point in line:
        bounds = bounds_of(point, None)
        if bounds is not None and bounds.bounds and bounds.bounds[0].images_per_s / first <= top:
            curve.append((place, bounds.bounds[0].images_per_s / first, bounds.bounds[0].what))
    return curve if len(curve) > 1 else []


def _panels(subject: Subject) -> Mapping[str, Mapping[str, Line]]:
    """The lines with two worker counts or more."""
    x = subject.layout.x
    if x is None or "workers" not in x.keys:
        return {}
    panels = {
        panel: {name: line for name, line in lines.items() if len(line) > 1} for panel, lines in panels_of(subject).items()
    }
    return {panel: lines for panel, lines in panels.items() if lines}


def _perfect_speed_up(axes: Any, least: float, most: float, highest: float) -> None:
    top = max(1.6, 1.3 * highest)
    places = [least + (most - least) * step / 60 for step in range(61)]
    shown = [(place, place / least) for place in places if place / least <= top]
    axes.plot([place for place, _ in shown], [speed for _, speed in shown], **_PERFECT)
    axes.set_ylim(0, top)
    place, speed = shown[-1]
    axes.annotate("perfect", (place, speed), xytext=(5, -4), textcoords="offset points", color=QUIET, va="top")


def _perfect_efficiency(axes: Any, least: float, most: float, highest: float) -> None:
    axes.axhline(100, **_PERFECT)
    axes.set_ylim(0, max(112, 1.08 * highest))
    axes.annotate("perfect", (max(least, most), 100), xytext=(0, 3), textcoords="offset points", color=QUIET, ha="right")
