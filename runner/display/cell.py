"""A line in a notebook's cell that is written anew as the work goes on. It takes no widgets, so it shows wherever a notebook does."""

from __future__ import annotations

import io
from time import monotonic
from typing import Any

from rich.console import Console, RenderableType

# Less often than a terminal, because each message goes through the kernel, while a trial is timed.
_AT_MOST_EVERY_S = 1.0

_WIDTH = 110
_HTML = "<pre style=\"margin: 0; white-space: pre; line-height: normal; font-family: Menlo, 'DejaVu Sans Mono', Consolas, monospace\">{code}</pre>"


class CellLine:
    """Shows what is rendered, in the cell that runs; nothing is left of it in the end."""

    def __init__(self) -> None:
        from IPython import display

        show: Any = display.display  # it has no types
        self._handle = show(_mime(""), display_id=True, raw=True)
        self._shown_at = -_AT_MOST_EVERY_S

    def show(self, what: RenderableType) -> None:
        """Show it in the place of what was there, unless that has been there too short a time."""
        if (now := monotonic()) - self._shown_at >= _AT_MOST_EVERY_S:
            self._shown_at = now
            console = Console(file=io.StringIO(), record=True, width=_WIDTH, force_jupyter=False, force_terminal=True)
            console.print(what)
            self._handle.update(_mime(console.export_html(inline_styles=True, code_format=_HTML)), raw=True)

    def clear(self) -> None:
        """Show nothing any more."""
        self._handle.update(_mime(""), raw=True)


def _mime(html: str) -> dict[str, str]:
    return {"text/html": html, "text/plain": ""}
