"""The consumers: who takes the results of an epoch, batch by batch, in the trial's own process."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from runner.config.fields import MISSING, name, option
from runner.config.modules import FUNCTION, refuse_missing_module
from runner.config.options.base import Choices, CodeOption
from runner.config.options.tasks import MODELS
from runner.errors import ConfigurationError


class Order(Enum):
    """In which order results are put into batches."""

    kept = "kept"  # that of the images
    arrival = "arrival"  # as they come


@dataclass
class ConsumerOption(CodeOption):
    """What every consumer has."""

    package: ClassVar[str] = "runner.pipeline.consumers"

    name: str = MISSING


@dataclass
class NoConsumer(ConsumerOption):
    name: str = name("none")


@dataclass
class BatchesOption(ConsumerOption):
    """What every consumer has that takes batches."""

    batch: int = option(32, "results in a batch", at_least=1, at_most=65536)
    drop_remainder: bool = option(False, "whether a last batch that is not full is dropped")
    order: Order = option(Order.kept, "whether batches keep the order of the images, or take results as they come")
    queue: int = option(2, "batches made ahead; it bounds the memory", at_least=1, at_most=4096)
    warmup_steps: int = option(1, "steps of each epoch that utilization and waits leave out", at_least=0)


class Busy(Enum):
    """What an emulated step does with its time."""

    sleep = "sleep"  # nothing here: an accelerator works
    python = "python"  # holds the interpreter lock
    blas = "blas"  # multiplies matrices, without the lock


_NUMBER = r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_LOGNORMAL = re.compile(rf"lognormal\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)")
_STEP = rf"{_NUMBER}|{_LOGNORMAL.pattern}"


@dataclass(frozen=True)
class StepTime:
    """How long a step takes, in seconds: always the median where ``sigma`` is 0, otherwise log-normally distributed."""

    median_s: float
    sigma: float = 0.0

    @classmethod
    def of(cls, text: str) -> StepTime:
        """From ``0.1`` or ``lognormal(0.1, 0.2)``."""
        match = _LOGNORMAL.fullmatch(text)
        return cls(float(text)) if match is None else cls(float(match[1]), float(match[2]))

    @property
    def mean_s(self) -> float:
        """The mean of the distribution: median · exp(sigma² / 2)."""
        return self.median_s * math.exp(self.sigma**2 / 2)


@dataclass
class Emulated(BatchesOption):
    code: ClassVar[str] = "runner.pipeline.consumers.emulated"

    name: str = name("emulated")
    step_s: str = option("0.1", "seconds of a step: a number, or lognormal(median, sigma)", matches=_STEP)
    busy: Busy = option(Busy.sleep, "what a step does with its time")
    seed: int = option(0, "the seed of steps of different lengths", at_least=0)

    def check(self, choices: Choices) -> None:
        time = StepTime.of(self.step_s)
        if not (0 < time.median_s <= 3600 and time.sigma <= 3):
            accepted = "seconds above 0, up to 3600; or lognormal(median, sigma) with a sigma up to 3"
            raise ConfigurationError("consumer.step_s", self.step_s, "is out of range", accepted)


@dataclass
class H100Resnet50(Emulated):
    name: str = name("h100_resnet50")
    batch: int = option(400, "results in a batch", at_least=1, at_most=65536)
    step_s: str = option("0.224", "seconds of a step: a number, or lognormal(median, sigma)", matches=_STEP)


@dataclass
class A100Resnet50(Emulated):
    name: str = name("a100_resnet50")
    batch: int = option(400, "results in a batch", at_least=1, at_most=65536)
    step_s: str = option("0.435", "seconds of a step: a number, or lognormal(median, sigma)", matches=_STEP)


# A network of three convolutions, which trains on two cores.
SMALL_MODEL = "SmallConvNet"


@dataclass
class KerasTraining(BatchesOption):
    name: str = name("keras")
    model: str = option(SMALL_MODEL, "a Keras application model, or a small one", choices=(SMALL_MODEL, *MODELS))
    seed: int = option(0, "the seed of weights and labels", at_least=0)

    @property
    def uses_tensorflow(self) -> bool:
        return True


@dataclass
class StepFunction(BatchesOption):
    name: str = name("function")
    function: str = option(
        MISSING,
        "package.module:name of your own step, which takes a batch as a NumPy array",
        matches=FUNCTION,
        names_code=True,
    )

    def check(self, choices: Choices) -> None:
        """Refuse a module that does not exist. Nothing of it runs here, so a missing function shows when the trial imports the module."""
        if choices.python is None and choices.code is None:
            refuse_missing_module("consumer.function", self.function)

    @property
    def uses_tensorflow(self) -> bool:
        return True
