"""How charts look: one style, colours that the colour-blind tell apart, and SVG that follows the page's light or dark scheme.

Charts are drawn by Matplotlib in marker colours, one for each role; in the finished SVG these become CSS variables for the page, or the
light scheme's colours for a file by itself.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

# Okabe & Ito's palette (Color Universal Design, 2008), darker or lighter where the background takes more contrast; each role has a
# marker colour that no chart would use by itself.
_ROLES: Mapping[str, tuple[str, str, str]] = {
    "ink": ("#010001", "#1d2329", "#e6e9ec"),
    "quiet": ("#010002", "#5b6570", "#a3adb8"),
    "grid": ("#010003", "#dfe3e7", "#343b43"),
    "paper": ("#010004", "#ffffff", "#171b20"),
    "s0": ("#020000", "#0069a8", "#5db4ee"),
    "s1": ("#020001", "#b84a00", "#ff9b57"),
    "s2": ("#020002", "#00785a", "#3fc9a0"),
    "s3": ("#020003", "#a3437c", "#e79ac6"),
    "s4": ("#020004", "#7a6200", "#e3c34a"),
    "s5": ("#020005", "#4a53b8", "#a3aaf5"),
    "s6": ("#020006", "#565d64", "#b9c1c9"),
}

INK, QUIET, GRID, PAPER = (_ROLES[name][0] for name in ("ink", "quiet", "grid", "paper"))
SERIES = tuple(_ROLES[f"s{number}"][0] for number in range(7))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1.2)), (0, (6, 1.5, 1.5, 1.5)), (0, (3, 1)), (0, (8, 2)), (0, (1, 1)))

# Inches at 72 to the inch: a chart is drawn for the width of a phone, so that its letters can be read there.
WIDTH, HEIGHT = 5.2, 3.5

_STYLE: Any = {
    "svg.fonttype": "none",  # letters stay letters: smaller, and read aloud or searched
    "svg.hashsalt": "report",  # the same record, the same file
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


@dataclass(frozen=True)
class Chart:
    """A finished chart.

    Attributes:
        name: of its file, without ending; letters, digits and dashes.
        title: what it shows, as a heading.
        caption: how to read it, in a sentence or two.
        description: what a reader who cannot see it should know.
        svg: the picture, in marker colours.
        wide: whether it takes the whole width of the page.
    """

    name: str
    title: str
    caption: str
    description: str
    svg: str
    wide: bool = False

    def for_page(self) -> str:
        """The picture as part of a page, in the page's colours."""
        svg = self.svg
        for role, (marker, _, _) in _ROLES.items():
            svg = svg.replace(marker, f"var(--{role})")
        return svg

    def for_file(self) -> str:
        """The picture as a file by itself, in the light scheme."""
        svg = self.svg
        for marker, light, _ in _ROLES.values():
            svg = svg.replace(marker, light)
        background = f'<rect width="100%" height="100%" fill="{_ROLES["paper"][1]}"/>'
        head, gap, rest = svg.partition("</title>")
        opened = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)
        opened = opened.replace("<svg ", '<svg font-family="system-ui, Helvetica, Arial, sans-serif" ', 1)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{opened}{gap}{background}{rest}\n'


def schemes() -> tuple[str, str]:
    """The CSS variables of the light and of the dark scheme."""
    light = " ".join(f"--{role}: {colour};" for role, (_, colour, _) in _ROLES.items())
    dark = " ".join(f"--{role}: {colour};" for role, (_, _, colour) in _ROLES.items())
    return light, dark


@contextmanager
def figure(
    rows: int = 1, columns: int = 1, *, size: tuple[float, float] = (WIDTH, HEIGHT), **how: Any
) -> Iterator[tuple[Any, Any]]:
    """A figure in the report's style, and its axes as ``plt.subplots`` gives them with ``squeeze=False``; no window, no global state."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        drawn = Figure(figsize=size)
        FigureCanvasSVG(drawn)
        yield drawn, drawn.subplots(rows, columns, squeeze=False, **how)


def as_svg(drawn: Any, name: str, description: str) -> str:
    """The figure as an ``<svg>`` element, whose ids belong to ``name`` alone, so that many fit into one page."""
    target = io.StringIO()
    drawn.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = target.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"<svg [^>]*?viewBox=\"([^\"]*)\"[^>]*>",
        rf'<svg viewBox="\1" role="img" aria-label="{_escaped(description)}">',
        svg,
        count=1,
    )
    svg = svg.replace(">", f"><title>{_escaped(description)}</title>", 1)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    svg = re.sub(r"font: ((?:bold |italic )*)([\d.]+)px [^;\"]+", _font, svg)
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", svg)


def _font(found: re.Match[str]) -> str:
    weight = "; font-weight: bold" if "bold" in found[1] else ""
    return f"font-size: {found[2]}px{weight}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def label_lines(axes: Any, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each line's name beside its right end, in its colour, moved apart where they would overlap.

    Args:
        axes: with its limits set, at least as far up as the highest end.
        ends: for each line x and y of its last point, its name and its colour.
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
    """A label in lines that leave room for the chart."""
    return "\n".join(textwrap.wrap(name, 18, break_long_words=False, break_on_hyphens=False))


def key_above(axes: Any, names: Sequence[tuple[str, str]]) -> None:
    """What each colour stands for, with its sign before it, above the right end of the axes, in that colour."""
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
    """The heights, in their order, moved so that neighbours are ``least`` apart and all lie between 0 and 1 where they can."""
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
    """A horizontal axis with a tick at each measured value; in doublings where they span three or more."""
    known = sorted(set(values))
    if len(known) > 1 and known[0] > 0 and known[-1] / known[0] >= 8:
        axes.set_xscale("log", base=2)
    from matplotlib.ticker import NullLocator

    axes.set_xticks(known if len(known) <= 9 else known[:: -(-len(known) // 9)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{value:g}" for value in axes.get_xticks()])
    axes.set_xlabel(name)
