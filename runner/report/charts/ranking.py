"""The points sorted by throughput: for sweeps in which no number varies, and for large sweeps."""

from __future__ import annotations

from typing import Any

from runner.record.reading import PointRecord, value_of
from runner.report.charts.groups import Look, looks
from runner.report.paint import PAPER, QUIET, WIDTH, figure
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most points that are drawn; the table has all.
MOST = 30


def draw(subject: Subject) -> Chart | None:
    """The chart; None if fewer than two points have figures."""
    ranked = sorted(subject.good, key=lambda point: -(value_of(point, "images_per_s") or 0.0))
    if len(ranked) < 2:
        return None
    shown = ranked[:MOST]
    colours = looks(subject)
    with figure(size=(2 * WIDTH, 0.9 + 0.27 * len(shown))) as (drawn, grid):
        axes = grid[0, 0]
        for height, point in enumerate(reversed(shown)):
            _draw_row(axes, height, point, colours[subject.places[point.label].series])
        axes.set_yticks(range(len(shown)), [point.label for point in reversed(shown)])
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("images per second")
        description = "; ".join(f"{point.label}: {value_of(point, 'images_per_s'):.4g}" for point in shown[:12])
        svg = as_svg(drawn, "ranking", f"Points by throughput in images per second. {description}")
    more = f" The first {MOST} of {len(ranked)} are drawn; the table has them all." if len(ranked) > MOST else ""
    caption = f"Median over trials, with its 95 % interval where there were six trials or more.{more}"
    return Chart("ranking", "Points by throughput", caption, description, svg, wide=True)


def _draw_row(axes: Any, height: int, point: PointRecord, look: Look) -> None:
    """Draw a point's throughput with its interval, and write the number beside the axes."""
    metric = point.record["metrics"]["images_per_s"]
    colour, marker, _ = look
    if metric["low"] is not None:
        ends = [metric["low"], metric["high"]]
        axes.plot(ends, [height, height], color=colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
    dot = {"marker": marker, "markeredgecolor": PAPER, "markeredgewidth": 0.8, "linestyle": ""}
    axes.plot([metric["value"]], [height], color=colour, **dot)
    axes.annotate(
        f"{metric['value']:.4g}", (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0),
        textcoords="offset points", va="center", color=QUIET,
    )  # fmt: skip
