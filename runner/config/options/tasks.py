"""The tasks: what is done to each image."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from typing import ClassVar

from runner.config.fields import MISSING, name, option
from runner.config.modules import FUNCTION, refuse_missing_module
from runner.config.options.base import Choices, CodeOption
from runner.errors import ConfigurationError


class Execution(Enum):
    """Whether TensorFlow runs op by op or as one graph."""

    eager = "eager"
    graph = "graph"


class DctMethod(Enum):
    """The inverse DCT of the JPEG decoder."""

    default = "default"  # TensorFlow's own choice
    fast = "fast"
    accurate = "accurate"


class Picture(typing.Protocol):
    """The size of an image in pixels, from its header."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


@dataclass
class TaskOption(CodeOption):
    """What every task has."""

    package: ClassVar[str] = "runner.pipeline.tasks"

    name: str = MISSING

    def result_bytes(self, images: Sequence[Picture]) -> int:
        """The size of the largest result in bytes, as far as the option and the headers of the images show."""
        del images
        return 224 * 224 * 4 * 4

    @property
    def last_bits_depend_on_threads(self) -> bool:
        """Whether the last bits of a result change with ``tf.intra_op``."""
        return False

    @property
    def is_graph(self) -> bool:
        """Whether its code has a graph of TensorFlow's, which needs no call to Python for an image."""
        return False

    @property
    def why_not_batches(self) -> str | None:
        """Why its steps after decoding cannot be mapped over a batch of images; None where they can."""
        return "handles one image at a time"


# The steps that a picture can go through. The random ones give the same result for the same image and seed.
STEPS = ("decode", "resize", "standardize", "flip", "crop", "colour")
STEPS_BY_CHANCE = ("flip", "crop", "colour")

# With any of these a picture becomes float32; without them it stays bytes.
_COMPUTING = frozenset({"resize", "standardize", "colour"})

_ACCEPTED_STEPS = "a list of different steps, decode first, colour before standardize, out of " + ", ".join(STEPS)


@dataclass
class StepsOption(TaskOption):
    """What every task that is made of steps has."""

    size: int = option(224, "edge of the square result, pixels", at_least=1, at_most=8192)
    channels: int = option(3, "channels to decode to", choices=(1, 3))
    steps: list[str] = option(
        ["decode", "resize", "standardize"], "decode first, then any of resize, standardize, flip, crop, colour"
    )
    crop: float = option(0.875, "the share of each edge that the step crop keeps", above=0, at_most=1)
    colour: float = option(0.2, "the step colour changes by a factor of up to 1 ± this", at_least=0, at_most=1)
    seed: int = option(0, "the seed of the random steps", at_least=0)

    def check(self, choices: Choices) -> None:
        reason = _error_in(self.steps)
        if reason is not None:
            raise ConfigurationError("task.steps", f"[{','.join(map(str, self.steps))}]", reason, _ACCEPTED_STEPS)
        if "colour" in self.steps and self.channels != 3:
            raise ConfigurationError("task.channels", self.channels, "has no colour for the step colour to change", "3")

    def result_bytes(self, images: Sequence[Picture]) -> int:
        pixels = self.size**2 if "resize" in self.steps else max(image.width * image.height for image in images)
        return pixels * (self.channels or 4) * (4 if _COMPUTING.intersection(self.steps) else 1)


@dataclass
class Tensorflow(StepsOption):
    name: str = name("tensorflow")
    channels: int = option(3, "channels to decode to; 0 keeps the file's own number", choices=(0, 1, 3))
    dct_method: DctMethod = option(DctMethod.default, "the inverse DCT of the JPEG decoder")
    ratio: int = option(1, "decode a JPEG at 1/ratio of its size", choices=(1, 2, 4, 8))
    execution: Execution = option(Execution.eager, "op by op, or one graph")

    @property
    def last_bits_depend_on_threads(self) -> bool:
        """Whether TensorFlow takes a mean over so many pixels that its threads share the sum, each in its own order.

        Results of 224 × 224 pixels were equal bit by bit with 1 to 8 threads; larger results were not.
        """
        small = self.steps.index("resize") if "resize" in self.steps and self.size <= 224 else len(self.steps)
        return not {"standardize", "colour"}.isdisjoint(self.steps[:small])

    @property
    def uses_tensorflow(self) -> bool:
        return True

    @property
    def is_graph(self) -> bool:
        return True

    @property
    def why_not_batches(self) -> str | None:
        if chance := [step for step in self.steps if step in STEPS_BY_CHANCE]:
            return f"draws the step {chance[0]} for each image"
        if self.channels == 0:
            return "decodes to as many channels as each file has (task.channels=0)"
        return None if len(self.steps) > 1 else "has no step after decode"


@dataclass
class Pillow(StepsOption):
    name: str = name("pillow")


@dataclass
class Opencv(StepsOption):
    name: str = name("opencv")

    def check(self, choices: Choices) -> None:
        if choices.python is None and find_spec("cv2") is None:
            accepted = "an environment with the extra opencv: pip install 'image-pipeline-runner[opencv]'"
            raise ConfigurationError("task", self.name, "needs OpenCV, which is not installed", accepted)
        super().check(choices)


@dataclass
class Python(TaskOption):
    name: str = name("python")
    size: int = option(64, "edge of the square result, pixels", at_least=1, at_most=1024)

    def result_bytes(self, images: Sequence[Picture]) -> int:
        del images
        return self.size**2 * 3 * 4


class Dtype(Enum):
    """The numbers that a matrix is made of."""

    float32 = "float32"
    float64 = "float64"


@dataclass
class Math(TaskOption):
    name: str = name("math")
    size: int = option(512, "rows and columns of the matrix", at_least=1, at_most=16384)
    repeats: int = option(4, "products, one after the other", at_least=1, at_most=100_000)
    dtype: Dtype = option(Dtype.float32, "the numbers that the matrix is made of")

    def result_bytes(self, images: Sequence[Picture]) -> int:
        del images
        return self.size * 8


# Keras application models; each takes a square image of 75 pixels or more.
MODELS = (
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "DenseNet121",
    "InceptionV3",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
)


@dataclass
class Inference(TaskOption):
    name: str = name("inference")
    model: str = option("MobileNetV2", "a Keras application model", choices=MODELS)
    size: int = option(224, "edge of the square image that the model gets, pixels", at_least=75, at_most=4096)
    seed: int = option(0, "another seed, other weights", at_least=0)

    @property
    def uses_tensorflow(self) -> bool:
        return True


@dataclass
class Function(TaskOption):
    name: str = name("function")
    function: str = option(
        MISSING,
        "package.module:name of your own function, which takes the bytes of an image",
        matches=FUNCTION,
        names_code=True,
    )

    def check(self, choices: Choices) -> None:
        """Refuse a module that does not exist. Nothing of it runs here, so a missing function shows when a worker imports the module."""
        if choices.python is None and choices.code is None:
            refuse_missing_module("task.function", self.function)

    @property
    def uses_tensorflow(self) -> bool:
        return True


def _error_in(steps: Sequence[str]) -> str | None:
    for step in steps:
        if step not in STEPS:
            near = difflib.get_close_matches(str(step), STEPS, n=1)
            return f"there is no step {step}" + (f"; did you mean {near[0]}?" if near else "")
        if steps.count(step) > 1:
            return f"has {step} twice"
    if not steps or steps[0] != "decode":
        return "does not begin with decode"
    if {"colour", "standardize"} <= set(steps) and steps.index("colour") > steps.index("standardize"):
        return "has colour after standardize, which leaves no levels from 0 to 255"
    return None
