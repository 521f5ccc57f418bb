"""Turns a figure into SVG for a page with many charts and with a light and a dark scheme.

Charts are drawn in marker colours, one for each role. In the finished SVG a marker becomes a CSS variable for the page, or the colour of
the light scheme for a file by itself.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

# Okabe & Ito's palette (Color Universal Design, 2008), darker or lighter where the background needs more contrast. For each role: the
# marker (a colour that no chart uses otherwise), the colour of the light scheme, and that of the dark scheme.
ROLES: Mapping[str, tuple[str, str, str]] = {
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

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_FONT = re.compile(r"font: ((?:bold |italic )*)([\d.]+)px [^;]+")
_MANY_DIGITS = re.compile(r"(\d+\.\d{2})\d+")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FILE_FONT = "system-ui, Helvetica, Arial, sans-serif"

ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


@dataclass(frozen=True)
class Chart:
    """A finished chart.

    Attributes:
        name: of its file, without the ending: letters, digits and dashes.
        title: what it shows, as a heading.
        caption: how to read it, in a sentence or two.
        description: what the chart shows, for readers who cannot see it.
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
        """The SVG for a page, in the page's colours."""
        svg = self.svg
        for role, (marker, _, _) in ROLES.items():
            svg = svg.replace(marker, f"var(--{role})")
        return svg

    def for_file(self) -> str:
        """The SVG for a file by itself, in the light scheme, with its own background and font."""
        svg = self.svg
        for marker, light, _ in ROLES.values():
            svg = svg.replace(marker, light)
        root = ET.fromstring(svg)  # noqa: S314  (made by as_svg)
        root.set("font-family", _FILE_FONT)
        # Index 1: after the title, which must come first, and behind everything else.
        root.insert(1, ET.Element(f"{{{_SVG}}}rect", {"width": "100%", "height": "100%", "fill": ROLES["paper"][1]}))
        return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def schemes() -> tuple[str, str]:
    """The CSS variables of the light and of the dark scheme."""
    light = " ".join(f"--{role}: {colour};" for role, (_, colour, _) in ROLES.items())
    dark = " ".join(f"--{role}: {colour};" for role, (_, _, colour) in ROLES.items())
    return light, dark


def as_svg(drawn: Any, name: str, description: str) -> str:
    """The figure as an ``<svg>`` element. The page decides its size; its ids begin with ``name``, so that charts on one page do not clash."""
    target = io.StringIO()
    drawn.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ET.fromstring(_NOT_IN_XML.sub("\ufffd", target.getvalue()))  # noqa: S314  (made by Matplotlib)
    for metadata in root.findall(f"{{{_SVG}}}metadata"):
        root.remove(metadata)
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": description})
    title = ET.Element(f"{{{_SVG}}}title")
    title.text = description
    root.insert(0, title)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _attribute(key, value, name))
    return ET.tostring(root, encoding="unicode")


def _attribute(key: str, value: str, name: str) -> str:
    if key == "aria-label":
        return value
    if key == "id":
        return f"{name}-{value}"
    value = value.replace("url(#", f"url(#{name}-")
    if key in {"href", f"{{{_XLINK}}}href"} and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    if key == "style":
        value = _FONT.sub(_font_without_family, value)
    return _MANY_DIGITS.sub(r"\1", value)


def _font_without_family(font: re.Match[str]) -> str:
    """The size and weight of a font without its family, which the page decides."""
    weight = "; font-weight: bold" if "bold" in font[1] else ""
    return f"font-size: {font[2]}px{weight}"
