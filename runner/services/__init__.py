"""What runs beside a trial, in processes of its own that are not counted into it: servers on loopback that it reads from or sends to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.options import Config
from runner.sources.image import Image


@dataclass
class Served:
    """What a trial is to use instead of what the configuration says, because a server was started for it.

    Attributes:
        images: where they are read from.
        sink: the sink's option.
    """

    images: Sequence[Image]
    sink: Any


@contextlib.contextmanager
def serving(config: Config, images: Sequence[Image]) -> Iterator[Served]:
    """Start the servers that a trial of this configuration needs; they end with the context."""
    yield Served(images, config.sink)
