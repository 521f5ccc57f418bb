"""Leaves stages out of a pipeline, to measure what is left: images whose bytes are in memory, and results that are ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from runner.errors import ConfigurationError
from runner.pipeline.sources import Image, Reader
from runner.pipeline.tasks import Task

Read = Callable[[Image], bytes]
Run = Callable[[bytes, Image], Any]

# The most that a worker keeps.
_MOST_BYTES = 10**9

# So many results are made; the work of an epoch would else be done once by each worker before it starts.
_RESULTS = 8


def from_memory(images: Sequence[Image], reader: Reader) -> Read:
    """A function that returns the bytes of each image at once: all are read now. What cannot be read fails when it is asked for, as it did.

    Raises:
        ConfigurationError: they take too much memory.
    """
    kept: dict[Image, bytes] = {}
    size = 0
    for image in images:
        if image.refused is None and image not in kept:
            with contextlib.suppress(Exception):
                kept[image] = reader.read(image)
                size += len(kept[image])
        if size > _MOST_BYTES:
            reason = f"keeps all images in each worker's memory, and they have more than {_MOST_BYTES / 1e9:g} GB"
            raise ConfigurationError("skip", "fetch", reason, "fewer images (images=...), or smaller ones")
    # By identity, because a hash of all fields for each image would be measured too.
    by_identity = {id(image): kept[image] for image in images if image in kept}

    def read(image: Image) -> bytes:
        data = by_identity.get(id(image))
        return reader.read(image) if data is None else data

    return read


def ready_results(images: Sequence[Image], read: Read, task: Task) -> Run:
    """A function that returns a result at once: those of the first images are made now, and returned in turn.

    Where none can be made, it does the task's work, which then fails as it did.
    """
    results: list[Any] = []
    for image in islice((image for image in images if image.refused is None), _RESULTS):
        with contextlib.suppress(Exception):
            results.append(task.run(read(image), image))
    if not results:
        return task.run
    place = {id(image): results[number % len(results)] for number, image in enumerate(images)}
    return lambda _, image: place[id(image)]
