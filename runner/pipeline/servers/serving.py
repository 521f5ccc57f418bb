"""Starts the servers that a trial needs, and changes its options so that it uses them."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from runner.config.options import Config, ServedOption, Url
from runner.errors import RunnerError
from runner.pipeline.servers.children import child
from runner.pipeline.sinks import Destination
from runner.pipeline.sources.image import Image

log = logging.getLogger("runner")

_IMAGE_SERVER = "runner.pipeline.servers.image_server"

# No image fails by a limit of the download that the user has not set; the trial has a limit of its own.
_LONGEST_WAIT_S = 3600.0
_LARGEST_BYTES = 1 << 40


@dataclass
class Served:
    """What a trial uses instead of what the configuration says, because a server was started for it.

    Attributes:
        images: where they are read from.
        sink: the sink's option.
        source: the source's option.
        destination: where the results go; it knows what arrived.
        services: what each server has done and used, by its name, as the record has it; known when they have ended.
    """

    images: Sequence[Image]
    sink: Any
    source: Any
    destination: Destination
    services: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        """CPU seconds that the servers used."""
        return sum(service["cpu_s"] or 0.0 for service in self.services.values())


@contextlib.contextmanager
def serving(config: Config, images: Sequence[Image], folder: Path, name: str) -> Iterator[Served]:
    """Start the servers that a trial of this configuration needs, and make ready where its results go; all end with the context.

    Args:
        config: of the point.
        images: its images.
        folder: of the point.
        name: of the point, as no other has it.

    Raises:
        TrialError: one of them could not be had.
    """
    destination: Destination = config.sink.provided().destination(config.sink, folder, name)
    served = Served(images, destination.config, config.source, destination)
    try:
        with contextlib.ExitStack() as running:
            if (source := config.source.served) is not None:
                running.enter_context(serving_images(served, source, config.seed))
            yield served
    finally:
        try:
            destination.close()
        except RunnerError as error:
            log.warning("sink: %s", error)


@contextlib.contextmanager
def serving_images(served: Served, source: ServedOption, seed: int) -> Iterator[None]:
    """Have the images come from a server on loopback, until the context ends."""
    megabytes = source.serve_bandwidth_mb_per_s
    plan = {
        "paths": [image.path for image in served.images],
        "latency_s": source.serve_latency_s,
        "jitter_s": source.serve_jitter_s,
        "bandwidth": None if megabytes is None else megabytes * 1e6,
        "seed": seed,
    }
    with child("image_server", _IMAGE_SERVER, plan, served.services) as ready:
        root = f"http://127.0.0.1:{ready['port']}/"
        served.images = [
            replace(image, path=f"{root}{number}/{quote(image.name)}") for number, image in enumerate(served.images)
        ]
        served.source = Url(url=root, timeout_s=_LONGEST_WAIT_S, max_bytes=_LARGEST_BYTES)
        yield
