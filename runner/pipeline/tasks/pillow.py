"""``task=pillow``: the steps in Pillow, on pictures of 8 bits a channel, the last of them in NumPy."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageEnhance

from runner.pipeline.tasks.chances import Box
from runner.pipeline.tasks.steps import StepsTask

# Every format's reader is loaded now, not at the first image.
PIL.Image.init()
# What is too large is refused by source.max_megapixels, and does not come here.
PIL.Image.MAX_IMAGE_PIXELS = None

_MODES = {1: "L", 3: "RGB"}


class PillowTask(StepsTask):
    """``Image.resize`` would antialias; ``Image.transform`` with the same scale takes the nearest four pixels, as TensorFlow does."""

    def decoded(self, data: bytes) -> Any:
        mode = _MODES[self.config.channels]
        picture: PIL.Image.Image = PIL.Image.open(io.BytesIO(data))
        if mode == "L" and picture.format in {"JPEG", "MPO"}:
            picture.draft("L", picture.size)  # a JPEG has its luma ready
        picture.load()
        if picture.mode.startswith("I"):
            # 16 bits a pixel; of them the upper eight, as other decoders take them.
            picture = PIL.Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        return picture if picture.mode == mode else picture.convert(mode)

    def as_array(self, picture: Any) -> Any:
        array = np.asarray(picture)
        return array if array.ndim == 3 else array[:, :, np.newaxis]

    def size_of(self, picture: Any) -> tuple[int, int]:
        if isinstance(picture, np.ndarray):
            return picture.shape[1], picture.shape[0]
        width, height = picture.size
        return width, height

    def resized(self, picture: Any, size: int) -> Any:
        if isinstance(picture, np.ndarray):  # standardized before: a picture of numbers for each channel
            channels = [PIL.Image.fromarray(picture[:, :, channel]) for channel in range(picture.shape[2])]
            return np.stack([np.asarray(self.resized(channel, size)) for channel in channels], axis=2)
        width, height = picture.size
        scale = (width / size, 0, 0, 0, height / size, 0)
        return picture.transform((size, size), PIL.Image.Transform.AFFINE, scale, PIL.Image.Resampling.BILINEAR)

    def flipped(self, picture: Any) -> Any:
        if isinstance(picture, np.ndarray):
            return picture[:, ::-1]
        return picture.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)

    def cropped(self, picture: Any, box: Box) -> Any:
        if isinstance(picture, np.ndarray):
            return picture[box.top : box.bottom, box.left : box.right]
        return picture.crop(box)

    def coloured(self, picture: Any, brightness: float, contrast: float, saturation: float) -> Any:
        picture = PIL.ImageEnhance.Brightness(picture).enhance(brightness)
        picture = PIL.ImageEnhance.Contrast(picture).enhance(contrast)
        return PIL.ImageEnhance.Color(picture).enhance(saturation)


PROVIDES = PillowTask
