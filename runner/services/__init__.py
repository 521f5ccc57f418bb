"""What runs beside a trial, in processes of its own that are not counted into it: servers on loopback that it reads from or sends to."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.options import Config
from runner.errors import RunnerError
from runner.registry import load
from runner.sinks import Destination
from runner.sources.image import Image

log = logging.getLogger("runner")


@dataclass
class Served:
    """What a trial is to use instead of what the configuration says, because a server was started for it.

    Attributes:
        images: where they are read from.
        sink: the sink's option.
        destination: where the results go, to be asked what arrived.
    """

    images: Sequence[Image]
    sink: Any
    destination: Destination


@contextlib.contextmanager
def serving(config: Config, images: Sequence[Image], folder: Path, name: str) -> Iterator[Served]:
    """Start the servers that a trial of this configuration needs, and make ready where its results go; both end with the context.

    Args:
        config: of the point.
        images: its images.
        folder: of the point.
        name: of the point, as no other has it.

    Raises:
        TrialError: one of them could not be had.
    """
    destination: Destination = load("sink", config.sink.name).destination(config.sink, folder, name)
    try:
        yield Served(images, destination.config, destination)
    finally:
        try:
            destination.close()
        except RunnerError as error:
            log.warning("sink: %s", error)
