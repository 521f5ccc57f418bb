"""A task built and run on images, in this process or, since it is light to import, in a fresh one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.config.options import TaskOption
from runner.pipeline.sources import Image


def task_of(option: TaskOption, images: Sequence[Image]) -> Any:
    return option.provided()(option, images)


def digests(task: Any, images: Sequence[Image]) -> list[bytes]:
    """Of the results."""
    return [task.digest(task.run(Path(image.path).read_bytes(), image)) for image in images]


def built_and_run(option: TaskOption, images: Sequence[Image]) -> list[bytes]:
    return digests(task_of(option, images), images)
