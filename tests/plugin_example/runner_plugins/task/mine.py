"""``task=mine``: the first bytes of an image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.config.fields import name, option
from runner.config.options import TaskOption

if TYPE_CHECKING:
    from runner.pipeline.sources.image import Image


@dataclass
class Mine(TaskOption):
    name: str = name("mine")
    length: int = option(64, "how many bytes", at_least=1, at_most=1024)


class MineTask:
    def __init__(self, config: Mine, images: Sequence[Image]) -> None:
        self._length = config.length

    def run(self, data: bytes, image: Image) -> bytes:
        return data[: self._length]

    def array(self, result: bytes) -> Any:
        import numpy as np

        return np.frombuffer(result, np.uint8)

    def digest(self, result: bytes) -> bytes:
        return hashlib.sha256(result).digest()


PROVIDES = MineTask
