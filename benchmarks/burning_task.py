"""A task that takes a known amount of CPU time: what is known to be 5 % slower can be looked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.pipeline.sources import Image


@dataclass(frozen=True)
class Burn:
    """CPU seconds for each image, by the kernel's clock of the thread; or as many seconds of sleep."""

    cpu_s: float
    name: str = "burn"
    uses_tensorflow: bool = False
    sleeps: bool = False


class BurningTask:
    """Counts until its thread has used so much CPU time."""

    def __init__(self, config: Burn, images: Sequence[Image]) -> None:
        self._cpu_s, self._images, self._sleeps = config.cpu_s, images, config.sleeps

    def run(self, data: bytes, image: Image) -> None:
        """Burn, or sleep."""
        if self._sleeps:
            time.sleep(self._cpu_s)
            return
        until = time.thread_time() + self._cpu_s
        while time.thread_time() < until:
            pass

    def array(self, result: Any) -> Any:
        return np.empty(0, np.uint8)

    def digest(self, result: Any) -> bytes:
        return b""


PROVIDES = BurningTask
