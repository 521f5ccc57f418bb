"""The steps of ``task=pillow`` and ``task=opencv``: which follow upon which is here, how each is done is the library's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from runner.config.options import STEPS_BY_CHANCE, StepsOption
from runner.pipeline.sources.image import Image
from runner.pipeline.tasks.arrays import ArrayTask
from runner.pipeline.tasks.chances import Box, Chances, chances, crop_box, factors, is_flipped

# For steps that leave nothing to chance.
_NOTHING = Chances(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class StepsTask(ArrayTask):
    """The result is an array of shape ``(height, width, channels)``, as from TensorFlow: uint8 where pixels were only moved,
    float32 where they were computed.

    Up to ``standardize`` a picture has the library's own type with levels from 0 to 255, rounded after each step, which is what
    makes these libraries fast; from then on it is a float32 array.
    """

    def __init__(self, config: StepsOption, images: Sequence[Image]) -> None:  # noqa: ARG002  (any image will do)
        self.config = config
        self._follow: list[Callable[[Any, Chances], Any]] = [getattr(self, f"_{step}") for step in config.steps[1:]]
        self._by_chance = not set(STEPS_BY_CHANCE).isdisjoint(config.steps)
        self._computes = not {"resize", "standardize", "colour"}.isdisjoint(config.steps)

    def run(self, data: bytes, image: Image) -> Any:
        picture = self.decoded(data)
        drawn = chances(self.config.seed, image) if self._by_chance else _NOTHING
        for step in self._follow:
            picture = step(picture, drawn)
        array = self.as_array(picture)
        return array.astype(np.float32, copy=False) if self._computes else array

    def decoded(self, data: bytes) -> Any:
        """The picture in a file's bytes.

        Raises:
            Exception: what the library raises where there is none, or not all of it.
        """
        raise NotImplementedError

    def as_array(self, picture: Any) -> Any:
        """The picture as an array with three axes."""
        raise NotImplementedError

    def resized(self, picture: Any, size: int) -> Any:
        """Bilinear without antialiasing, pixels taken at their centres, as ``tf.image.resize`` does it."""
        raise NotImplementedError

    def flipped(self, picture: Any) -> Any:
        """Left and right exchanged."""
        raise NotImplementedError

    def size_of(self, picture: Any) -> tuple[int, int]:
        """Width and height."""
        raise NotImplementedError

    def cropped(self, picture: Any, box: Box) -> Any:
        """The part in ``box``."""
        raise NotImplementedError

    def coloured(self, picture: Any, brightness: float, contrast: float, saturation: float) -> Any:
        """As ``runner.pipeline.tasks.chances.factors`` describes it."""
        raise NotImplementedError

    def _resize(self, picture: Any, _: Chances) -> Any:
        return self.resized(picture, self.config.size)

    def _standardize(self, picture: Any, _: Chances) -> Any:
        return standardized(self.as_array(picture))

    def _flip(self, picture: Any, drawn: Chances) -> Any:
        return self.flipped(picture) if is_flipped(drawn) else picture

    def _crop(self, picture: Any, drawn: Chances) -> Any:
        return self.cropped(picture, crop_box(drawn, *self.size_of(picture), self.config.crop))

    def _colour(self, picture: Any, drawn: Chances) -> Any:
        return self.coloured(picture, *factors(drawn, self.config.colour))


def standardized(array: Any) -> Any:
    """Mean 0 and variance 1 as ``tf.image.per_image_standardization`` has it: (x - mean) / max(deviation, 1 / √count), float32."""
    levels = array.astype(np.float32)
    levels -= levels.mean()
    levels /= max(float(levels.std()), levels.size**-0.5)
    return levels
