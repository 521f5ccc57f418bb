"""How charts look: one style, with colours that colour-blind people can distinguish."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from runner.report.svg import ROLES

INK, QUIET, GRID, PAPER = (ROLES[name][0] for name in ("ink", "quiet", "grid", "paper"))
SERIES = tuple(ROLES[f"s{number}"][0] for number in range(7))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (1, 1)))

# In inches of 72 points. A chart is drawn for the width of a phone, so that its letters are readable there.
WIDTH, HEIGHT = 5.2, 3.5

_STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: it is smaller, and can be searched and read aloud
    "text.parse_math": False,  # a name with two dollars is a name
    "svg.hashsalt": "report",  # the same record gives the same file
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5.5,
    "figure.constrained_layout.use": True,
}


@contextmanager
def figure(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (WIDTH, HEIGHT), **how: Any
) -> Iterator[tuple[Any, Any]]:
    """A figure in the report's style, and its axes in a two-dimensional array. It needs no window and changes no global state."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        drawn = Figure(figsize=size)
        FigureCanvasSVG(drawn)
        yield drawn, drawn.subplots(rows, columns, squeeze=False, **how)


def label_lines(axes: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's name beside its right end, in its colour. Names that would overlap are moved apart.

    Args:
        axes: its limits must be set, and include every end.
        ends: for each line the x and y of its last point, its name and its colour.
    """
    if not ends:
        return
    low, high = axes.get_ylim()
    logarithmic = axes.get_yscale() == "log"
    heights = [_fraction(y, low, high, logarithmic=logarithmic) for _, y, _, _ in ends]
    names = [wrapped(name) for _, _, name, _ in ends]
    gap = 0.085 * max(name.count("\n") + 1 for name in names)
    for (x, y, _, colour), name, height in zip(ends, names, _apart(heights, gap), strict=True):
        axes.annotate(
            name, (x, y), xytext=(1.02, height), textcoords="axes fraction", color=colour, va="center", fontweight="bold",
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4},
        )  # fmt: skip


def wrapped(name: str) -> str:
    """A label, broken into lines that leave room for the chart."""
    return "\n".join(textwrap.wrap(name, 18, break_long_words=False, break_on_hyphens=False))


def key_above(axes: Any, names: Sequence[tuple[str, str]]) -> None:
    """Write above the right end of the axes what each colour stands for, in that colour."""
    offset = 0.0
    for name, colour in reversed(names):
        axes.annotate(
            name, (1, 1), xycoords="axes fraction", xytext=(-offset, 4), textcoords="offset points", ha="right", va="bottom",
            color=colour, fontweight="bold",
        )  # fmt: skip
        offset += 6.2 * len(name) + 14


def _fraction(value: float, low: float, high: float, *, logarithmic: bool) -> float:
    from math import log

    if logarithmic:
        value, low, high = log(value), log(low), log(high)
    return (value - low) / (high - low) if high > low else 0.5


def _apart(heights: Sequence[float], least: float) -> list[float]:
    """The heights in the given order, moved so that neighbours are at least ``least`` apart and, if possible, between 0 and 1."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = [heights[index] for index in order]
    for _ in range(50):
        for lower in range(len(placed) - 1):
            overlap = least - (placed[lower + 1] - placed[lower])
            if overlap > 0:
                placed[lower] -= overlap / 2
                placed[lower + 1] += overlap / 2
        shift = min(0.0, 1 - placed[-1]) + max(0.0, -placed[0])
        placed = [height + shift for height in placed]
    moved = [0.0] * len(heights)
    for index, height in zip(order, placed, strict=True):
        moved[index] = height
    return moved


def workers_axis(axes: Any, values: Sequence[float], name: str) -> None:
    """Set up a horizontal axis with a tick at each measured value; logarithmic if the values span three doublings or more."""
    known = sorted(set(values))
    if len(known) > 1 and known[0] > 0 and known[-1] / known[0] >= 8:
        axes.set_xscale("log", base=2)
    from matplotlib.ticker import NullLocator

    axes.set_xticks(known if len(known) <= 9 else known[:: -(-len(known) // 9)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{value:g}" for value in axes.get_xticks()])
    axes.set_xlabel(name)
