"""A task that does nothing: what is left is the cost of handing items around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runner.sources import Image


@dataclass(frozen=True)
class Empty:
    """No choice to make."""

    name: str = "empty"


class EmptyTask:
    """Nothing in, nothing out."""

    def __init__(self, config: Empty, images: Sequence[Image]) -> None:
        self._config, self._images = config, images

    def read(self, image: Image) -> None:
        """No byte is read."""

    def run(self, data: None, image: Image) -> None:
        """Nothing is done."""

    def digest(self, result: Any) -> bytes:
        return b""


PROVIDES = EmptyTask
