"""Where in a TFRecord file the images are: looked up once, kept under ``outputs/cache``, without TensorFlow.

A record's data is a ``tf.train.Example``, of which only the way to one feature is looked at (tensorflow/core/example/feature.proto).
Checksums of data are not looked at: a damaged image fails in its decoder.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from runner.disk import write_atomically
from runner.errors import ConfigurationError
from runner.files import outputs
from runner.pipeline.wire import Readable, Span, WireError, fields, records

# Counts up when the index has another form.
_VERSION = 2

# The first bytes of files that gzip and zlib wrote.
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda")

# How many names of features a message has, and how many bytes of each.
_NAMED, _NAME_BYTES = 20, 60

ACCEPTED = "an uncompressed TFRecord file of tf.train.Example, or a folder of them"


def spans(path: Path, feature: str) -> list[Span]:
    """Offset and length in the file of each record's image, from the index where it still holds.

    Raises:
        ConfigurationError: it is no such file, or a record has no such feature.
    """
    status = path.stat()
    state = [_VERSION, status.st_size, status.st_mtime_ns]
    name = hashlib.sha256(json.dumps([str(path), feature]).encode()).hexdigest()[:16]
    index = outputs() / "cache" / "tfrecord" / f"{name}.json"
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        if content["state"] == state and content["digest"] == _digest(content["spans"]):
            return [(offset, length) for offset, length in content["spans"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # there is none, or none that can be used: it is made again
    images = _images(path, feature)
    index.parent.mkdir(parents=True, exist_ok=True)
    content = {"state": state, "path": str(path), "spans": images, "digest": _digest(images)}
    write_atomically(index, lambda file: json.dump(content, file))
    return images


def _digest(images: Any) -> str:
    """What says that an index has the spans that were written into it."""
    return hashlib.sha256(json.dumps(images).encode()).hexdigest()


def _images(path: Path, feature: str) -> list[Span]:
    """Offset and length of each record's image, from the file itself."""

    def refused(reason: str) -> ConfigurationError:
        return ConfigurationError("source.path", path, reason, ACCEPTED)

    with path.open("rb") as file:
        if not path.stat().st_size:
            raise refused("is empty")
        head = file.read(2)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            images = []
            try:
                for number, (start, end) in enumerate(records(data)):
                    where = f"record {number}, at byte {start}"
                    images.append(_image(data, start, end, feature.encode(), where))
            except WireError as error:
                if head in _COMPRESSED:  # a first record of 376 bytes begins so, too
                    raise refused("is compressed, so that no record can be reached without all before it") from None
                raise refused(f"is no TFRecord file, or damaged: {error}") from None
            except _FeatureError as error:
                accepted = "a bytes feature that each record has, with one image"
                raise ConfigurationError("source.feature", feature, str(error), accepted) from None
    return images


class _FeatureError(Exception):
    """A record does not have the image where it should be."""


def _entries(data: Readable, start: int, end: int) -> Iterator[tuple[Span, Span]]:
    """The features of a ``tf.train.Example``, each with its name."""
    for _, features in fields(data, start, end, 1):
        for _, entry in fields(data, *features, 1):
            yield entry, next((span for _, span in fields(data, *entry, 1)), (entry[0], entry[0]))


def _names(data: Readable, start: int, end: int) -> str:
    """The names of some features, to be shown."""
    names = (bytes(data[first : min(last, first + _NAME_BYTES)]) for _, (first, last) in _entries(data, start, end))
    return ", ".join(sorted({name.decode(errors="replace") for name in islice(names, _NAMED)})) or "none"


def _image(data: Readable, start: int, end: int, feature: bytes, where: str) -> Span:
    """Offset and length of the one value of a bytes feature, in the ``tf.train.Example`` between ``start`` and ``end``."""
    value = None
    try:
        for entry, name in _entries(data, start, end):
            if data[slice(*name)] == feature:  # protobuf lets the last of a name stand
                value = next((span for _, span in fields(data, *entry, 2)), (start, start))
        if value is None:
            raise _FeatureError(f"is not in {where}, which has {_names(data, start, end)}")
        kinds = list(fields(data, *value))
        images = [image for _, values in fields(data, *value, 1) for _, image in fields(data, *values, 1)]
    except WireError as error:
        raise WireError(f"{where} is no tf.train.Example: {error}") from None
    if len(images) != 1:
        kind = {2: "numbers", 3: "integers"}.get(kinds[0][0] if kinds else 1, f"{len(images)} values")
        raise _FeatureError(f"has {kind} in {where}, not one image")
    first, last = images[0]
    return first, last - first
