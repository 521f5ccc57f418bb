"""Images per second by the number of workers, a line for each mode, with the bound that the CPUs set."""

from __future__ import annotations

from typing import Any

from runner.analysis.bounds import bounds_of
from runner.record.reading import value_of
from runner.report.charts.groups import Line, fewest_workers_of, grid_of, left_out, looks, panels_of
from runner.report.paint import HEIGHT, PAPER, WIDTH, figure, label_lines, workers_axis
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg


def draw(subject: Subject) -> Chart | None:
    """The chart; None if no number varies."""
    panels = panels_of(subject)
    x = subject.layout.x
    if not panels or x is None:
        return None
    rows, columns = grid_of(len(panels))
    size = (WIDTH * columns, HEIGHT * rows)
    bounded = False
    with figure(rows, columns, size=size, sharey=len(panels) > 1) as (drawn, grid):
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (panel, lines) in zip(grid.flat, panels.items(), strict=False):
            ends = []
            for name, line in lines.items():
                look = looks(subject)[name]
                ends.append((*_line(axes, line, look), name, look[0]))
                bounded = _bound(axes, subject, line, look[0], named=not bounded) or bounded
            axes.set_ylim(bottom=0)
            axes.set_ylabel("images per second")
            workers_axis(axes, [place for line in lines.values() for place, _ in line], x.name)
            if panel:
                axes.set_title(panel)
            label_lines(axes, ends)
        what = "Throughput, and the bound of the CPUs" if bounded else "Throughput"
        svg = as_svg(drawn, "throughput", f"{what} in images per second against {x.name}. {_in_words(subject)}")
    caption = "Median over trials, with its 95 % interval as a band; fewer than six trials give no interval."
    if bounded:
        caption += " The dotted line in each colour is what the CPUs allow: their number ÷ the CPU seconds of an image."
    return Chart(
        "throughput", f"Throughput against {x.name}", caption + left_out(subject), _in_words(subject), svg, wide=len(panels) > 1
    )


def _line(axes: Any, line: Line, look: tuple[str, str, object]) -> tuple[float, float]:
    """Draw a line; returns where it ends."""
    colour, marker, dash = look
    xs = [place for place, _ in line]
    metrics = [point.record["metrics"]["images_per_s"] for _, point in line]
    values = [metric["value"] or 0.0 for metric in metrics]
    if all(metric["low"] is not None for metric in metrics):
        axes.fill_between(xs, [m["low"] for m in metrics], [m["high"] for m in metrics], color=colour, alpha=0.18, linewidth=0)
    axes.plot(xs, values, color=colour, marker=marker, linestyle=dash, markeredgecolor=PAPER, markeredgewidth=0.8)
    return xs[-1], values[-1]


def _bound(axes: Any, subject: Subject, line: Line, colour: str, *, named: bool) -> bool:
    """Draw what the CPUs allow, if it is near the line; returns whether it was drawn."""
    limits = []
    for place, point in line:
        bounds = bounds_of(point, fewest_workers_of(subject, point))
        cpus = next((bound for bound in bounds.bounds if bound.what == "CPUs"), None) if bounds else None
        if cpus is not None:
            limits.append((place, cpus.images_per_s))
    highest = max((value_of(point, "images_per_s") or 0.0) for _, point in line)
    # A bound far above everything measured would only flatten the chart.
    near = [(place, bound) for place, bound in limits if bound <= 2.5 * highest]
    if len(near) < 2:
        return False
    axes.plot([place for place, _ in near], [bound for _, bound in near], color=colour, linewidth=0.9, linestyle=(0, (1, 2)))
    if named:
        axes.annotate(
            "what the CPUs allow", near[0], xytext=(2, 3), textcoords="offset points", color=colour, fontsize=8, va="bottom"
        )
    return True


def _in_words(subject: Subject) -> str:
    return " ".join(
        f"{point.label}: {value:.4g} images per second."
        for point in subject.good[:12]
        if (value := value_of(point, "images_per_s")) is not None
    )
