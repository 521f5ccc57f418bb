"""What any library prints, logs or warns of goes to the standard streams without secrets."""

from __future__ import annotations

import sys
from typing import IO, Any

from runner.secrets import masked


class MaskedStream:
    """A text stream whose writer's secrets are masked; everything else is the stream's own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write it masked; returns how many characters were given."""
        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each masked."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def mask_streams() -> None:
    """Have all that is printed from now on masked: warnings, tracebacks, logs of libraries, what other threads raise."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, MaskedStream):
            setattr(sys, name, MaskedStream(stream))
