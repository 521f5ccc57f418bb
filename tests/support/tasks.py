"""Tasks built as a worker builds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image

from runner.config.options import (
    Opencv,
    Pillow,
    Tensorflow,
)
from runner.config.registry import load
from runner.pipeline.sources.image import Image, inspect

LIBRARIES = [Tensorflow, Pillow, Opencv]


ALL_STEPS = ["decode", "crop", "flip", "resize", "colour", "standardize"]


def built(config: Any, images: Sequence[Image]) -> Any:
    return load("task", config.name)(config, images)


def result(config: Any, image: Image) -> Any:
    task = built(config, [image])
    return task.array(task.run(Path(image.path).read_bytes(), image))


def saved(path: Path, array: Any, **options: Any) -> Image:
    picture = array if isinstance(array, PIL.Image.Image) else PIL.Image.fromarray(array)
    picture.save(path, **options)
    return inspect(path)
