"""The points in the order of their throughput: for sweeps without a number on the horizontal axis, and for large ones."""

from __future__ import annotations

from runner.record.reading import value_of
from runner.report.charts.groups import looks
from runner.report.paint import PAPER, QUIET, WIDTH, figure
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# More are not looked at; the table has them all.
MOST = 30


def draw(subject: Subject) -> Chart | None:
    """None where there are fewer than two points with figures."""
    ranked = sorted(subject.good, key=lambda point: -(value_of(point, "images_per_s") or 0.0))
    if len(ranked) < 2:
        return None
    shown = ranked[:MOST]
    colours = looks(subject)
    with figure(size=(2 * WIDTH, 0.9 + 0.27 * len(shown))) as (drawn, grid):
        axes = grid[0, 0]
        for height, point in enumerate(reversed(shown)):
            metric = point.record["metrics"]["images_per_s"]
            colour, marker, _ = colours[subject.places[point.label].series]
            if metric["low"] is not None:
                axes.plot(
                    [metric["low"], metric["high"]],
                    [height, height],
                    color=colour,
                    linewidth=3,
                    alpha=0.45,
                    solid_capstyle="butt",
                )
            axes.plot(
                [metric["value"]],
                [height],
                color=colour,
                marker=marker,
                markeredgecolor=PAPER,
                markeredgewidth=0.8,
                linestyle="",
            )
            axes.annotate(
                f"{metric['value']:.4g}", (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0),
                textcoords="offset points", va="center", color=QUIET,
            )  # fmt: skip
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
