"""What an image costs with start-up and teardown spread over a run of 10 to 100 000 images."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runner.analysis.amortised import SIZES, Cost, break_even, cost_of
from runner.report.charts.groups import detail_looks
from runner.report.paint import GRID, figure, label_lines
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg


def draw(subject: Subject) -> Chart | None:
    """The chart; None if no point has figures."""
    costs = [cost for point in subject.shown_in_detail if (cost := cost_of(point)) is not None]
    if not costs:
        return None
    sizes = [10 ** (exponent / 8) for exponent in range(41)]
    with figure() as (drawn, grid):
        axes = grid[0, 0]
        ends = []
        for cost in costs:
            colour, dash = detail_looks(subject)[cost.point.label]
            each_ms = [cost.total_s(size) / size * 1e3 for size in sizes]
            axes.plot(sizes, each_ms, color=colour, linestyle=dash)
            ends.append((sizes[-1], each_ms[-1], cost.point.label, colour))
        axes.set_xscale("log")
        axes.set_yscale("log")
        for size in SIZES:
            axes.axvline(size, linewidth=0.6, color=GRID)
        axes.set_xlim(1, 1e5)
        axes.set_xticks([1, 10, 100, 1_000, 10_000, 100_000], ["1", "10", "100", "1k", "10k", "100k"])
        _plain_numbers(axes)
        axes.set_xlabel("images in the run")
        axes.set_ylabel("ms an image, start and end included")
        label_lines(axes, ends)
        description = " ".join(sentence(*pair) for pair in _pairs(costs)) or "One point only."
        svg = as_svg(drawn, "amortisation", f"Milliseconds an image against the number of images in a run. {description}")
    caption = f"(start-up + teardown) ÷ images + 1 ÷ throughput, from medians. Imports, above all that of TensorFlow, come on top. {description}"
    return Chart("amortisation", "Start and end, spread over a run", caption, description, svg)


def sentence(one: Cost, other: Cost) -> str:
    """Which of two points is quicker, and from how many images on."""
    crossing = break_even(one, other)
    if crossing is not None:
        return f"{crossing.later.label} is quicker than {crossing.sooner.label} from {crossing.images:,} images on.".replace(
            ",", " "
        )
    better = one if one.total_s(1) <= other.total_s(1) and one.image_s <= other.image_s else other
    worse = other if better is one else one
    return f"{better.point.label} is quicker than {worse.point.label} for any number of images."


def _pairs(costs: Sequence[Cost]) -> list[tuple[Cost, Cost]]:
    return [(costs[0], other) for other in costs[1:]]


def _plain_numbers(axes: object) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis = axes.yaxis  # type: ignore[attr-defined]
    low, high = axes.get_ylim()  # type: ignore[attr-defined]
    few = math.log10(high / low) < 1.5
    axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
