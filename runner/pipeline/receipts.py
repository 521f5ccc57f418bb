"""How what was sent is compared with what arrived: both sides count, and add up a fingerprint of each result."""

from __future__ import annotations

import hashlib
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# What a payload may be; its bytes are contiguous.
Payload = bytes | bytearray | memoryview

_PARTS = struct.Struct("<qqI")
_WRAP = 2**64


def fingerprint(item: int, payload: Payload) -> int:
    """64 bits made of an item's number and of its payload's length and CRC-32.

    It is made within the timed epochs: 0.1 ms for the 602 KB of 224 x 224 x 3 float32, where a cryptographic hash takes three
    to six times that. It finds what was lost or damaged; it does not protect against fraud.
    """
    view = memoryview(payload)
    parts = _PARTS.pack(item, view.nbytes, zlib.crc32(view))
    return int.from_bytes(hashlib.blake2b(parts, digest_size=8).digest(), "little")


@dataclass(frozen=True)
class Receipt:
    """What some workers have sent in one pass over the images.

    Attributes:
        count: results that the other side took, as far as it said so.
        checksum: the sum of their fingerprints modulo 2**64, whatever their order.
        bytes: the sum of their payloads' sizes.
        confirmed: how many of them the other side confirmed with a digest of its own.
        repeated: attempts beyond the first.
        doubtful: fingerprints, by item, of results that were given up; they may have arrived all the same.
    """

    count: int = 0
    checksum: int = 0
    bytes: int = 0
    confirmed: int = 0
    repeated: int = 0
    doubtful: Mapping[int, int] = field(default_factory=dict)

    def __add__(self, other: Receipt) -> Receipt:
        return Receipt(
            self.count + other.count,
            (self.checksum + other.checksum) % _WRAP,
            self.bytes + other.bytes,
            self.confirmed + other.confirmed,
            self.repeated + other.repeated,
            {**self.doubtful, **other.doubtful},
        )


class Ledger:
    """What one worker process has sent since it was last asked; its threads write into it at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reset()

    def sent(self, mark: int, size: int, *, confirmed: bool = False, repeated: int = 0) -> None:
        """A result of ``size`` bytes with the fingerprint ``mark`` was taken."""
        with self._lock:
            self._count += 1
            self._checksum += mark
            self._bytes += size
            self._confirmed += confirmed
            self._repeated += repeated

    def doubt(self, item: int, mark: int) -> None:
        """It is not known whether this result was taken."""
        with self._lock:
            self._doubtful[item] = mark

    def take(self) -> Receipt:
        """All of it; the next begins with nothing."""
        with self._lock:
            taken = Receipt(self._count, self._checksum % _WRAP, self._bytes, self._confirmed, self._repeated, self._doubtful)
            self._reset()
        return taken

    def _reset(self) -> None:
        self._count = self._checksum = self._bytes = self._confirmed = self._repeated = 0
        self._doubtful: dict[int, int] = {}


# Items whose bits are kept together; a page is made when the first of them arrives.
_PAGE_ITEMS = 1 << 15


class Arrivals:
    """What has arrived of one pass, counted by item: what comes twice, as it may where an answer was lost, counts once.

    Attributes:
        count, checksum, bytes: as in a receipt.
        duplicates: how many came again.
    """

    def __init__(self) -> None:
        self.count = self.checksum = self.bytes = self.duplicates = 0
        self._pages: dict[int, bytearray] = {}  # one bit an item; a wrong number takes no more than a page

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Arrivals:
        """What ``record`` was made of."""
        arrivals = cls()
        arrivals.count, arrivals.checksum = record["count"], record["checksum"]
        arrivals.bytes, arrivals.duplicates = record["bytes"], record["duplicates"]
        arrivals._pages = {int(page): bytearray.fromhex(bits) for page, bits in record["pages"].items()}
        return arrivals

    def record(self) -> dict[str, Any]:
        """As plain data, for another process."""
        pages = {page: bits.hex() for page, bits in self._pages.items()}
        names = ("count", "checksum", "bytes", "duplicates")
        return {name: getattr(self, name) for name in names} | {"pages": pages}

    def take(self, item: int, payload: Payload) -> None:
        """A result has come."""
        page, place = divmod(item, _PAGE_ITEMS)
        bits, bit = self._pages.get(page), 1 << (place & 7)
        if bits is None:
            bits = self._pages[page] = bytearray(_PAGE_ITEMS >> 3)
        if bits[place >> 3] & bit:
            self.duplicates += 1
            return
        bits[place >> 3] |= bit
        self.count += 1
        self.checksum = (self.checksum + fingerprint(item, payload)) % _WRAP
        self.bytes += memoryview(payload).nbytes

    def __contains__(self, item: int) -> bool:
        page, place = divmod(item, _PAGE_ITEMS)
        bits = self._pages.get(page)
        return bits is not None and bool(bits[place >> 3] & (1 << (place & 7)))

    def __iter__(self) -> Iterator[int]:
        for page in sorted(self._pages):
            yield from (item for item in range(page * _PAGE_ITEMS, (page + 1) * _PAGE_ITEMS) if item in self)
