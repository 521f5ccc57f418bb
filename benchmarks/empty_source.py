"""A source that reads nothing: what is left is the cost of what comes after it."""

from __future__ import annotations

from typing import Any

from runner.pipeline.sources import Image


class EmptySource:
    """Images without bytes; as many as are asked for."""

    def __init__(self, config: Any) -> None:
        self._config = config

    def images(self, limit: int) -> tuple[Image, ...]:
        return tuple(Image(f"/{number}", "other", 0, 0, str(number)) for number in range(limit))

    def reader(self) -> EmptySource:
        return self

    def read(self, image: Image) -> bytes:
        return b""

    def close(self) -> None:
        """Nothing is open."""


PROVIDES = EmptySource
