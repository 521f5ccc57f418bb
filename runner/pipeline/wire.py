"""The two formats that are read and written here without their libraries: TFRecord's frame and protobuf's fields.

A record is its length (8 bytes, little-endian), a checksum of that (4), its data, and a checksum of the data (4); the checksum is a
masked CRC-32C (tensorflow/core/lib/io/record_writer.h). The checksums of the lengths are looked at, which finds every break in the
frame; those of the data are not, because pure Python needs a second for a megabyte.

A protobuf message is a row of fields, each with a tag (its number and the kind of its content) and its content
(https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

# Where something begins, and where it ends.
Span = tuple[int, int]

Readable = bytes | memoryview | mmap.mmap

# The kinds of a field's content: a number, 8 bytes, a length and so many bytes, 4 bytes.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class WireError(ValueError):
    """The bytes are not what the format says."""


def records(data: Readable) -> Iterator[Span]:
    """First byte and end of each record's data in the content of a TFRecord file.

    Raises:
        WireError: a length does not agree with its checksum, or the last record is not all there.
    """
    at, size, number = 0, len(data), 0
    while at < size:
        start = at + 12
        length = int.from_bytes(data[at : at + 8], "little")
        if start > size or int.from_bytes(data[at + 8 : start], "little") != masked_crc32c(data[at : at + 8]):
            raise WireError(f"the length of record {number}, at byte {at}, does not agree with its checksum")
        if start + length + 4 > size:
            raise WireError(f"record {number}, at byte {at}, of {length} bytes goes beyond the end of the file")
        yield start, start + length
        at = start + length + 4
        number += 1


def fields(message: Readable, at: int, end: int, wanted: int | None = None) -> Iterator[tuple[int, Span]]:
    """Number and span of the fields between ``at`` and ``end`` that are bytes or messages; of all, or of one number.

    Raises:
        WireError: it is no message.
    """
    while at < end:
        tag, at = varint(message, at, end)
        number, kind = tag >> 3, tag & 7
        start = at
        if kind == _VARINT:
            _, at = varint(message, at, end)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            length, start = varint(message, at, end)
            at = start + length
        else:
            raise WireError(f"there is no wire type {kind}")
        if at > end or not number:
            raise WireError("a field goes beyond its message")
        if kind == _BYTES and wanted in (None, number):
            yield number, (start, at)


def varint(message: Readable, at: int, end: int) -> tuple[int, int]:
    """The number that begins at ``at``, and where it ends.

    Raises:
        WireError: it does not end before ``end``.
    """
    value = shift = 0
    while at < end and shift < 64:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
    raise WireError("a number goes beyond its message")


def as_field(number: int, *content: bytes | memoryview) -> list[bytes | memoryview]:
    """A field of bytes, or a message, in parts that are put together only once."""
    return [bytes([number << 3 | _BYTES]), as_varint(sum(map(len, content))), *content]


def as_varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all but the last byte have the eighth bit set."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def masked_crc32c(data: Readable) -> int:
    """The CRC-32C (Castagnoli) of ``data``, rotated and added to as TFRecord has it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC32C[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _table() -> list[int]:
    table = []
    for value in range(256):
        crc = value
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC32C = _table()
