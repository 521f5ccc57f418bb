"""Where image bytes come from: a source lists images, and each image knows what its header claims."""

from __future__ import annotations

import json
from functools import lru_cache

from runner.config.check import plain
from runner.config.options import OPTIONS, SourceOption
from runner.registry import load
from runner.sources.image import Image

__all__ = ["Image", "images_of"]


def images_of(source: SourceOption, limit: int) -> tuple[Image, ...]:
    """The first ``limit`` different images of a source, inspected once however many points ask.

    Raises:
        ConfigurationError: the source has no image to give.
    """
    return _images(json.dumps(plain(source), sort_keys=True), limit)


@lru_cache(maxsize=64)
def _images(source_json: str, limit: int) -> tuple[Image, ...]:
    fields = json.loads(source_json)
    kind = OPTIONS["source"][fields["name"]]
    found: tuple[Image, ...] = load("source", fields["name"])(kind(**fields)).images(limit)
    return found
