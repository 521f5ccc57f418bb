"""A task whose result says which image it is of, so that a consumer can tell what it got; and a consumer that notes it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from runner.config.fields import MISSING
from runner.config.options import BatchesOption, TaskOption
from runner.pipeline.arrays import array_digest
from runner.pipeline.sources import Image


@dataclass
class Numbered(TaskOption):
    """Results are arrays filled with the image's number; images whose number is in ``failing`` fail, one in ``odd`` has another shape.

    An image in ``slow`` takes ``slow_s``.
    """

    name: str = field(default=MISSING, init=False)
    failing: tuple[int, ...] = ()
    odd: tuple[int, ...] = ()
    slow: tuple[int, ...] = ()
    slow_s: float = 0.0
    uses_tensorflow: bool = False


class NumberedTask:
    def __init__(self, config: Numbered, images: Sequence[Image]) -> None:
        self._config = config

    def run(self, data: bytes, image: Image) -> Any:
        number = int(Path(image.path).stem)
        if number in self._config.slow:
            time.sleep(self._config.slow_s)
        if number in self._config.failing:
            raise ValueError("this image is not to my taste")
        return np.full((2, 3 if number in self._config.odd else 2), number, np.int32)

    def array(self, result: Any) -> Any:
        return result

    def digest(self, result: Any) -> bytes:
        return array_digest(result)


@dataclass
class Noting(BatchesOption):
    """A consumer that notes the numbers in its batches; in step ``fails_in`` it raises, and in step ``hangs_in`` it never returns.

    With ``whole`` it notes a digest of each batch, whatever it is made of.
    """

    code: ClassVar[str] = "support.noting_consumer"

    name: str = field(default=MISSING, init=False)
    batch: int = 4
    step_s: float = 0.0
    fails_in: int | None = None
    hangs_in: int | None = None
    dies_in: int | None = None
    whole: bool = False
    warmup_steps: int = 0


class NotingConsumer:
    def __init__(self, config: Noting) -> None:
        self._config = config
        self._noted: list[Any] = []

    def step(self, batch: Any) -> None:
        config = self._config
        if len(self._noted) == config.fails_in:
            raise ValueError("this batch is not to my taste")
        if len(self._noted) == config.hangs_in:
            time.sleep(3600)
        if len(self._noted) == config.dies_in:
            os._exit(9)
        assert batch.flags["C_CONTIGUOUS"]
        time.sleep(config.step_s)
        self._noted.append(array_digest(batch).hex() if config.whole else batch[:, 0, 0].tolist())

    def outcome(self) -> Mapping[str, Any]:
        return {"noted": self._noted}


PROVIDES = NumberedTask
