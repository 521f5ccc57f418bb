"""Where in a TFRecord file the images are: looked up once, kept under ``outputs/cache``, without TensorFlow.

A record's data is a ``tf.train.Example``, of which only the way to one feature is looked at (tensorflow/core/example/feature.proto).
Checksums of data are not looked at: a damaged image fails in its decoder.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from pathlib import Path

from runner.errors import ConfigurationError
from runner.files import outputs, write_atomically
from runner.pipeline.wire import Readable, Span, WireError, fields, records

# Counts up when the index has another form.
_VERSION = 1

ACCEPTED = "an uncompressed TFRecord file of tf.train.Example"


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
        if content["state"] == state:
            return [(offset, length) for offset, length in content["spans"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or none that can be used: it is made again
    images = _images(path, feature)
    index.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(index, lambda file: json.dump({"state": state, "path": str(path), "spans": images}, file))
    return images


def _images(path: Path, feature: str) -> list[Span]:
    """Offset and length of each record's image, from the file itself."""

    def refused(reason: str) -> ConfigurationError:
        return ConfigurationError("source.path", path, reason, ACCEPTED)

    with path.open("rb") as file:
        if not path.stat().st_size:
            raise refused("is empty")
        if file.read(2) in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
            raise refused("is compressed, so that no record can be reached without all before it")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            images = []
            try:
                for number, (start, end) in enumerate(records(data)):
                    where = f"record {number}, at byte {start}"
                    images.append(_image(data, start, end, feature.encode(), where))
            except WireError as error:
                raise refused(f"is no TFRecord file, or damaged: {error}") from None
            except _FeatureError as error:
                accepted = "a bytes feature that each record has, with one image"
                raise ConfigurationError("source.feature", feature, str(error), accepted) from None
    return images


class _FeatureError(Exception):
    """A record does not have the image where it should be."""


def _image(data: Readable, start: int, end: int, feature: bytes, where: str) -> Span:
    """Offset and length of the one value of a bytes feature, in the ``tf.train.Example`` between ``start`` and ``end``."""
    names = []
    value = None
    try:
        for _, features in fields(data, start, end, 1):
            for _, entry in fields(data, *features, 1):
                name = next((bytes(data[slice(*span)]) for _, span in fields(data, *entry, 1)), b"")
                names.append(name)
                if name == feature:  # protobuf lets the last of a name stand
                    value = next((span for _, span in fields(data, *entry, 2)), (start, start))
        if value is None:
            shown = ", ".join(sorted({name.decode(errors="replace") for name in names})[:20])
            raise _FeatureError(f"is not in {where}" + (f", which has {shown}" if names else ", which has none"))
        kinds = list(fields(data, *value))
        images = [image for _, values in fields(data, *value, 1) for _, image in fields(data, *values, 1)]
    except WireError as error:
        raise WireError(f"{where} is no tf.train.Example: {error}") from None
    if len(images) != 1:
        kind = {2: "numbers", 3: "integers"}.get(kinds[0][0] if kinds else 1, f"{len(images)} values")
        raise _FeatureError(f"has {kind} in {where}, not one image")
    first, last = images[0]
    return first, last - first
