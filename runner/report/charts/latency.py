"""How long images take: the share of images that are done within a number of milliseconds."""

from __future__ import annotations

import numpy as np

from runner.record.rows import latencies_ms
from runner.report.charts.groups import detail_looks
from runner.report.paint import GRID, QUIET, figure, wrapped
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The number of quantiles that a curve is drawn from.
_QUANTILES = 250


def draw(subject: Subject) -> Chart | None:
    """The chart; None if no image's times were kept."""
    curves = {point.label: latencies for point in subject.shown_in_detail if len(latencies := latencies_ms(point.folder))}
    if not curves:
        return None
    shares = np.linspace(0, 1, _QUANTILES)
    with figure() as (drawn, grid):
        axes = grid[0, 0]
        every = np.concatenate(list(curves.values()))
        low, high = max(float(np.quantile(every, 0.001)), 1e-3), float(np.quantile(every, 0.999))
        for level, name in ((50, "half"), (95, "19 of 20"), (99, "99 of 100")):
            axes.axhline(level, color=GRID, linewidth=1)
            axes.annotate(
                name, (1, level), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points", va="center",
                color=QUIET, fontsize=8, annotation_clip=False,
            )  # fmt: skip
        for place, (label, values) in enumerate(curves.items()):
            colour, dash = detail_looks(subject)[label]
            axes.plot(np.quantile(values, shares), shares * 100, color=colour, linestyle=dash)
            share = (0.28, 0.44, 0.6, 0.76)[place]
            axes.annotate(
                wrapped(label), (float(np.quantile(values, share)), share * 100), xytext=(5, -3), textcoords="offset points", color=colour,
                fontweight="bold", va="top",
            )  # fmt: skip
        if high / low > 20:
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            axes.set_xlim(0, high * 1.25)
        axes.set_ylim(0, 102)
        axes.set_ylabel("% of the images")
        axes.set_xlabel("latency of an image, ms")
        words = [
            f"{label}: half within {np.quantile(values, 0.5):.3g} ms, 95 % within {np.quantile(values, 0.95):.3g} ms"
            for label, values in curves.items()
        ]
        svg = as_svg(drawn, "latency", f"Distribution of the latency of an image. {'; '.join(words)}.")
    caption = "The time of an image from the start of its read to the end of its sink, for every image of every timed epoch. Further left is quicker, steeper is steadier."
    return Chart("latency", "Latency of an image", caption, "; ".join(words), svg)
