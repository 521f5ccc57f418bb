"""Draws stacks as a flame graph: a picture by itself, in which nothing is code. Wide is often seen; what is below was called by what is above."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from xml.etree import ElementTree as ET

from runner.analysis.stacks import KINDS, Kind, Profile, kind_of
from runner.outside import in_one_line
from runner.report.svg import ROLES

_FILLS: dict[Kind, str] = {
    "interpreter": "#f6b77f",
    "decoder": "#8cc5ec",
    "copy": "#8fd8bf",
    "waiting": "#d9dce0",
    "other": "#e8d98f",
}
_WIDTH, _MARGIN, _ROW, _TOP = 1200.0, 10.0, 18, 62
_LETTER = 6.3  # of the font below, at its size
_FONT = "ui-monospace, Menlo, Consolas, monospace"
_NARROWEST = 1.0  # px: what is seen less often is left out
_DEEPEST = 150

# Frames of how a thread or a process begins; they are alike in all stacks.
_BEGINS = ("(runner/", "(runner\\")

# An address, where a module has no symbols.
_NAMELESS = re.compile(r"^0x[0-9a-f]+(?= \()")


@dataclass
class _Box:
    """A frame, with all that it called."""

    kinds: Counter[Kind] = field(default_factory=Counter)
    called: dict[str, _Box] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return self.kinds.total()

    def add(self, frames: Sequence[str], kind: Kind, count: int) -> None:
        """Add a stack below this box."""
        box = self
        box.kinds[kind] += count
        for frame in frames[:_DEEPEST]:
            box = box.called.setdefault(frame, _Box())
            box.kinds[kind] += count


@dataclass(frozen=True)
class _Placed:
    """A box at its place, in px."""

    name: str
    box: _Box
    left: float
    width: float
    row: int


def flame_graph(profile: Profile, title: str) -> str:
    """The threads that handle images, or all where none does, as SVG. Each box has the colour of the kind that is most seen in it."""
    everything = _Box()
    for stack in profile.stacks:
        if not profile.working or stack.thread in profile.working:
            kind, _ = kind_of(stack.frames, native=profile.native)
            everything.add(_shown(stack.frames), kind, stack.count)
    root = _branching(everything)
    placed = list(_placed("all", root, _MARGIN, _WIDTH - 2 * _MARGIN, 0))
    height = _TOP + _ROW * (1 + max(one.row for one in placed)) + _MARGIN
    sizes = {"viewBox": f"0 0 {_WIDTH:g} {height:g}", "width": f"{_WIDTH:g}", "height": f"{height:g}"}
    svg = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **sizes, "font-family": _FONT, "font-size": "10.5"})
    ET.SubElement(svg, "title").text = in_one_line(title)
    ET.SubElement(svg, "rect", {"width": "100%", "height": "100%", "fill": ROLES["paper"][1]})
    _text(svg, _MARGIN, 24, title, size="14")
    _legend(svg)
    for one in placed:
        _draw(svg, one, root.count)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(svg, encoding="unicode")}\n'


def _shown(frames: Sequence[str]) -> list[str]:
    """The frames without those of how the thread began; those without a name in one module are one, and so is a function that calls itself."""
    first = next((place for place, frame in enumerate(frames) if any(sign in frame for sign in _BEGINS)), 0)
    return [frame for frame, _ in groupby(_NAMELESS.sub("?", frame) for frame in frames[first:])]


def _branching(box: _Box) -> _Box:
    """The box below which there is more than one, or the innermost."""
    while len(box.called) == 1 and (only := next(iter(box.called.values()))).called:
        box = only
    return box


def _placed(name: str, box: _Box, left: float, width: float, row: int) -> Iterator[_Placed]:
    yield _Placed(name, box, left, width, row)
    for inner_name, inner in sorted(box.called.items()):
        inner_width = width * inner.count / max(1, box.count)
        if inner_width >= _NARROWEST:
            yield from _placed(inner_name, inner, left, inner_width, row + 1)
        left += inner_width


def _draw(svg: ET.Element, one: _Placed, total: int) -> None:
    top = _TOP + _ROW * one.row
    kind = max(KINDS, key=lambda kind: one.box.kinds[kind])
    group = ET.SubElement(svg, "g")
    share = f"{100 * one.box.count / max(1, total):.1f} %, {one.box.count} samples, mostly {kind}"
    ET.SubElement(group, "title").text = in_one_line(f"{one.name}: {share}")
    place = {"x": f"{one.left:.2f}", "y": f"{top}", "width": f"{max(0.3, one.width - 0.4):.2f}", "height": f"{_ROW - 1}"}
    ET.SubElement(group, "rect", {**place, "rx": "1.5", "fill": _FILLS[kind]})
    letters = int((one.width - 6) / _LETTER)
    if letters >= 3:
        shown = one.name if len(one.name) <= letters else f"{one.name[: letters - 1]}…"
        _text(group, one.left + 3, top + 12.5, shown)


def _legend(svg: ET.Element) -> None:
    left = _MARGIN
    for kind in KINDS:
        ET.SubElement(
            svg, "rect", {"x": f"{left:g}", "y": "36", "width": "12", "height": "12", "rx": "1.5", "fill": _FILLS[kind]}
        )
        _text(svg, left + 17, 46, kind)
        left += 17 + _LETTER * len(kind) + 18


def _text(parent: ET.Element, left: float, base: float, text: str, size: str | None = None) -> None:
    how = {} if size is None else {"font-size": size, "font-weight": "600"}
    ET.SubElement(parent, "text", {"x": f"{left:.2f}", "y": f"{base:g}", "fill": ROLES["ink"][1], **how}).text = in_one_line(
        text
    )
