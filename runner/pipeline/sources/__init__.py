"""Where image bytes come from: a source lists images, and each image knows what its header claims."""

from __future__ import annotations

import json

from runner.config.check import plain
from runner.config.options import SourceOption
from runner.pipeline.sources.image import Image

__all__ = ["Image", "images_of"]


def images_of(source: SourceOption, limit: int) -> tuple[Image, ...]:
    """The first ``limit`` different images of a source, inspected once however many points ask.

    Raises:
        ConfigurationError: the source has no image to give.
    """
    key = (json.dumps(plain(source), sort_keys=True), limit)
    if key not in _inspected:
        _inspected[key] = source.provided()(source).images(limit)
    return _inspected[key]


_inspected: dict[tuple[str, int], tuple[Image, ...]] = {}
