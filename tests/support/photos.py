"""Small images made for a test."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import PIL.Image

from runner.pipeline.sources.synthetic import photo_like


def photo(path: Path, size: tuple[int, int] = (40, 30)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(photo_like(*size, (0, 0))).save(path)
    return path


def png_bomb(path: Path) -> Path:
    """A PNG of a few bytes whose header claims 60 000 x 60 000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b""))
    return path
