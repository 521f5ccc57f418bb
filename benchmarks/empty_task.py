"""A task that does nothing: what is left is the cost of handing items around."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.pipeline.sources import Image


@dataclass(frozen=True)
class Empty:
    """No choice to make."""

    name: str = "empty"
    uses_tensorflow: bool = False


class EmptyTask:
    """Nothing in, nothing out."""

    def __init__(self, config: Empty, images: Sequence[Image]) -> None:
        self._config, self._images = config, images

    def run(self, data: bytes, image: Image) -> None:
        """Nothing is done."""

    def array(self, result: Any) -> Any:
        return np.empty(0, np.uint8)

    def digest(self, result: Any) -> bytes:
        return b""


PROVIDES = EmptyTask
