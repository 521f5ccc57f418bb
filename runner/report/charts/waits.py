"""How much of its step the consumer waits: against the number of workers, or for each point where they do not vary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.analysis.input_bound import HIGHLY_PCT, MODERATELY_PCT, break_even_workers
from runner.record.reading import value_of
from runner.report.charts.groups import Line, Look, grid_of, left_out, looks, panels_of
from runner.report.paint import HEIGHT, INK, PAPER, SERIES, WIDTH, figure, label_lines, workers_axis
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most rows of bars.
_MOST = 16

# Borders of the verdict, per cent of the step.
_BORDERS_PCT = (MODERATELY_PCT, HIGHLY_PCT)
_BORDER: Mapping[str, Any] = {"color": INK, "linewidth": 0.8, "linestyle": ":"}

_TITLE = "The consumer's wait"
_LABEL = "% of the step in which the consumer waits"
_MEDIANS = "Medians over trials. Up to the first dotted line, 5 %, the consumer is not input-bound; up to the second, 20 %, moderately; beyond it highly."
_BREAK_EVEN = " A dashed line marks the break-even: as many workers, between those measured, as bring the wait to 5 %."

Waits = list[tuple[float, float]]


def draw_waits(subject: Subject) -> Chart | None:
    """The share of the step in which each point's consumer waits; None where there is no consumer."""
    return _lines(subject) or _bars(subject)


def _lines(subject: Subject) -> Chart | None:
    """The wait by the number of workers; None if no line has two worker counts."""
    panels = _panels(subject)
    if not panels:
        return None
    rows, columns = grid_of(len(panels))
    look_of, words = looks(subject), []
    with figure(rows, columns, size=(WIDTH * columns, HEIGHT * rows), sharey=len(panels) > 1) as (drawn, grid):
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (panel, lines) in zip(grid.flat, panels.items(), strict=False):
            workers_axis(axes, sorted({place for line in lines.values() for place, _ in line}), "workers")
            for border in _BORDERS_PCT:
                axes.axhline(border, **_BORDER)
            axes.set_ylim(0, 100)
            axes.set_ylabel("% of the step")
            if panel:
                axes.set_title(panel)
            label_lines(axes, [_draw_line(axes, series, line, look_of[series]) for series, line in lines.items()])
            words += [_in_words(series, panel, line) for series, line in lines.items()]
        description = "; ".join(words[:12])
        svg = as_svg(drawn, "waits", f"{_LABEL}, by the number of workers. {description}.")
    caption = _MEDIANS.replace("Up to the", "Below the", 1) + _BREAK_EVEN + left_out(subject)
    return Chart("waits", _TITLE, caption, description, svg, wide=len(panels) > 1)


def _draw_line(axes: Any, series: str, line: Waits, look: Look) -> tuple[float, float, str, str]:
    """Draw one line and its break-even; returns where the line ends, its name and its colour."""
    colour, marker, dash = look
    axes.plot(
        [place for place, _ in line], [wait for _, wait in line], color=colour, marker=marker, linestyle=dash, markeredgecolor=PAPER,
        markeredgewidth=0.8,
    )  # fmt: skip
    if (workers := break_even_workers(line)) is not None:
        axes.axvline(workers, color=colour, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{workers:.1f}", (workers, 1), xycoords=("data", "axes fraction"), xytext=(3, -3), textcoords="offset points",
            color=colour, fontsize=8, va="top",
        )  # fmt: skip
    return (*line[-1], series, colour)


def _in_words(series: str, panel: str, line: Waits) -> str:
    name = f"{series}{f' ({panel})' if panel else ''}"
    last = f"{name}: {line[-1][1]:.0f} % with {line[-1][0]:g} workers"
    workers = break_even_workers(line)
    return last if workers is None else f"{last}, break-even at {workers:.1f}"


def _panels(subject: Subject) -> Mapping[str, Mapping[str, Waits]]:
    """The lines with two worker counts or more, as workers and per cent."""
    x = subject.layout.x
    if x is None or "workers" not in x.keys:
        return {}
    panels = {panel: {name: _waits(line) for name, line in lines.items()} for panel, lines in panels_of(subject).items()}
    panels = {panel: {name: line for name, line in lines.items() if len(line) > 1} for panel, lines in panels.items()}
    return {panel: lines for panel, lines in panels.items() if lines}


def _waits(line: Line) -> Waits:
    return [(place, fed["waiting_pct"]) for place, point in line if (fed := point.record.get("input")) is not None]


def _bars(subject: Subject) -> Chart | None:
    found = [(point, fed) for point in subject.good if (fed := point.record.get("input")) is not None]
    found = sorted(found, key=lambda one: -(value_of(one[0], "images_per_s") or 0.0))[:_MOST]
    if not found:
        return None
    with figure(size=(2 * WIDTH, 1.15 + 0.3 * len(found))) as (drawn, grid):
        axes = grid[0, 0]
        for height, (_, fed) in enumerate(reversed(found)):
            axes.barh(height, fed["waiting_pct"], height=0.62, color=SERIES[1], alpha=0.9, linewidth=0)
        for border in _BORDERS_PCT:
            axes.axvline(border, **_BORDER)
        axes.set_yticks(range(len(found)), [point.label for point, _ in reversed(found)])
        axes.set_ylim(-0.6, len(found) - 0.1)
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(_LABEL)
        description = "; ".join(f"{point.label}: {fed['waiting_pct']:.0f} %" for point, fed in found[:12])
        svg = as_svg(drawn, "waits", f"How much of its step the consumer waits. {description}")
    return Chart("waits", _TITLE, _MEDIANS, description, svg, wide=True)
