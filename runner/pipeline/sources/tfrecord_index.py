"""Where in a TFRecord file the images are: found once, kept under ``outputs/cache``, without TensorFlow.

A record is its length (8 bytes, little-endian), a checksum of that (4), its data, and a checksum of the data (4); the checksum is a
masked CRC-32C (tensorflow/core/lib/io/record_writer.h). The data is a ``tf.train.Example``, of which only the way to one feature is
looked at (protobuf's wire format; tensorflow/core/example/feature.proto). The checksums of the lengths are checked, which finds every
break in the file's frame; those of the data are not, because pure Python takes a second for a megabyte: a damaged image is found by
its decoder.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterator
from pathlib import Path

from runner.errors import ConfigurationError
from runner.files import outputs, write_atomically

# Counts up when the index has another form.
_VERSION = 1

ACCEPTED = "an uncompressed TFRecord file of tf.train.Example"

# Wire types of protobuf.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Span = tuple[int, int]


def spans(path: Path, feature: str) -> list[Span]:
    """Offset and length in the file of each record's image, from the index where it still holds.

    Raises:
        ConfigurationError: it is no such file, or a record has no such feature.
    """
    about = path.stat()
    state = [_VERSION, about.st_size, about.st_mtime_ns]
    name = hashlib.sha256(json.dumps([str(path), feature]).encode()).hexdigest()[:16]
    kept = outputs() / "cache" / "tfrecord" / f"{name}.json"
    try:
        content = json.loads(kept.read_text(encoding="utf-8"))
        if content["state"] == state:
            return [(offset, length) for offset, length in content["spans"]]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # there is none, or none that can be used: it is made anew
    found = _found(path, feature)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(kept, lambda file: json.dump({"state": state, "path": str(path), "spans": found}, file))
    return found


def _found(path: Path, feature: str) -> list[Span]:
    def refused(reason: str) -> ConfigurationError:
        return ConfigurationError("source.path", path, reason, ACCEPTED)

    with path.open("rb") as file:
        if not path.stat().st_size:
            raise refused("is empty")
        if file.read(2) in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda"):
            raise refused("is compressed, so that no record can be reached without all before it")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = []
            try:
                for number, (start, end) in enumerate(_records(data)):
                    place = f"record {number}, at byte {start}"
                    found.append(_image(data, start, end, feature.encode(), place))
            except _FrameError as error:
                raise refused(f"is no TFRecord file, or damaged: {error}") from None
            except _FeatureError as error:
                accepted = "a bytes feature that each record has, with one image"
                raise ConfigurationError("source.feature", feature, str(error), accepted) from None
    return found


class _FrameError(Exception):
    """The bytes are not what they should be."""


class _FeatureError(Exception):
    """A record does not have the image where it should be."""


def _records(data: mmap.mmap) -> Iterator[Span]:
    """First byte and end of each record's data."""
    at, size, number = 0, len(data), 0
    while at < size:
        length = int.from_bytes(data[at : at + 8], "little")
        if at + 12 > size or int.from_bytes(data[at + 8 : at + 12], "little") != masked_crc32c(data[at : at + 8]):
            raise _FrameError(f"the length of record {number}, at byte {at}, does not agree with its checksum")
        if at + 12 + length + 4 > size:
            raise _FrameError(f"record {number}, at byte {at}, of {length} bytes goes beyond the end of the file")
        yield at + 12, at + 12 + length
        at += 12 + length + 4
        number += 1


def _image(data: mmap.mmap, start: int, end: int, feature: bytes, place: str) -> Span:
    """Where in the ``tf.train.Example`` between ``start`` and ``end`` the one value of the bytes feature is."""
    names = []
    found = None
    try:
        for _, features in _fields(data, start, end, 1):
            for _, entry in _fields(data, *features, 1):
                name = next((data[slice(*span)] for _, span in _fields(data, *entry, 1)), b"")
                names.append(name)
                if name == feature:  # protobuf lets the last of a name stand
                    found = next((value for _, value in _fields(data, *entry, 2)), (start, start))
        if found is None:
            shown = ", ".join(sorted({name.decode(errors="replace") for name in names})[:20])
            raise _FeatureError(f"is not in {place}" + (f", which has {shown}" if names else ", which has none"))
        kinds = list(_fields(data, *found, None))
        values = [value for _, values in _fields(data, *found, 1) for _, value in _fields(data, *values, 1)]
    except _FrameError as error:
        raise _FrameError(f"{place} is no tf.train.Example: {error}") from None
    if len(values) != 1:
        kind = {2: "numbers", 3: "integers"}.get(kinds[0][0] if kinds else 1, f"{len(values)} values")
        raise _FeatureError(f"has {kind} in {place}, not one image")
    return values[0][0], values[0][1] - values[0][0]


def _fields(data: mmap.mmap, at: int, end: int, wanted: int | None) -> Iterator[tuple[int, Span]]:
    """Number and span of the fields of a message that are bytes or messages; of all, or of one number."""
    while at < end:
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        start = at
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            length, start = _varint(data, at, end)
            at = start + length
        else:
            raise _FrameError(f"there is no wire type {kind}")
        if at > end or not number:
            raise _FrameError("a field goes beyond its message")
        if kind == _BYTES and wanted in (None, number):
            yield number, (start, at)


def _varint(data: mmap.mmap, at: int, end: int) -> Span:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise _FrameError("a number goes beyond its message")


def _table() -> list[int]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC32C = _table()


def masked_crc32c(data: bytes) -> int:
    """The CRC-32C (Castagnoli) of ``data``, rotated and added to as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
