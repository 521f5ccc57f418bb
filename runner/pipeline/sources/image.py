"""One image of a source, as far as its header tells."""

from __future__ import annotations

import hashlib
import re
import warnings
from dataclasses import dataclass, replace
from io import BufferedReader, BytesIO
from pathlib import Path, PurePosixPath

from runner.secrets import masked

# Phones make photographs of 200; a header that claims more than this is damaged or a decompression bomb, unless the user says otherwise.
MAX_MEGAPIXELS = 500.0

# What TensorFlow's decoders call a format, by what Pillow calls it.
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "GIF": "gif", "BMP": "bmp", "WEBP": "webp"}

# A BMP whose bytes are numbers of colours; TensorFlow takes them for grey levels.
PALETTE_BMP = "palette_bmp"


@dataclass(frozen=True)
class Image:
    """An image in a local file, in a part of one, or at an address.

    Attributes:
        path: absolute path, or the address, with its credentials if it has any: ``where`` is for showing.
        format: ``jpeg``, ``png``, ``gif``, ``bmp``, ``palette_bmp``, ``webp``, or ``other`` where the header names none of them.
        width, height: pixels as the header claims them; 0 where it says nothing.
        digest: SHA-256 of the image's bytes, hexadecimal.
        refused: why it must not be decoded, or None.
        offset, length: the bytes of the file that are the image; None where it is the whole file.
    """

    path: str
    format: str
    width: int
    height: int
    digest: str
    refused: str | None = None
    offset: int | None = None
    length: int | None = None

    @property
    def name(self) -> str:
        """Short, for tables: the file's name; in a file of many with the offset."""
        if not self.in_file:
            address = masked(self.path.partition("::")[0])
            host, _, path = re.split(r"[?#]", address.partition("://")[2])[0].partition("/")
            return PurePosixPath(path or host).name or address
        return Path(self.path).name + self._place

    @property
    def where(self) -> str:
        """The path or the address, without credentials; in a file of many with the offset."""
        return masked(self.path) + self._place

    @property
    def in_file(self) -> bool:
        """Whether it is a file's, and not an address's."""
        return "://" not in self.path

    def differs_here(self) -> str | None:
        """Whether this machine does not have its file with the same bytes, in words; None where it has, or where it is at an address."""
        if not self.in_file:
            return None
        try:
            with Path(self.path).open("rb") as file:
                if self.offset is None:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                else:
                    file.seek(self.offset)
                    digest = hashlib.sha256(file.read(self.length)).hexdigest()
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        return None if digest == self.digest else "is another image"

    @property
    def _place(self) -> str:
        return "" if self.offset is None else f"@{self.offset}"


def inspect(path: Path) -> Image:
    """Read the header of ``path``, decoding nothing. A header that cannot be read is left for the task to judge.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return described(str(path.absolute()), file)


def described(path: str, file: BytesIO | BufferedReader, span: tuple[int, int] | None = None) -> Image:
    """The image that is the content of ``file``, which is at ``path`` or there at this offset and length, as ``inspect`` has it.

    Raises:
        OSError: the file cannot be read.
    """
    # Imported here: only the conductor inspects, and only after the configuration has been accepted.
    import PIL.Image

    PIL.Image.MAX_IMAGE_PIXELS = None  # the limit that counts is the user's
    offset, length = span or (None, None)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damage, which the task reports
            with PIL.Image.open(file) as header:
                width, height = header.size
                kind = _FORMATS.get(header.format or "", "other")
                if kind == "bmp" and header.mode == "P":
                    kind = PALETTE_BMP
    except Exception:  # Pillow raises whatever a damaged header makes it trip over; the task reports it
        return Image(path, "other", 0, 0, digest, None, offset, length)
    return limited(Image(path, kind, width, height, digest, None, offset, length), MAX_MEGAPIXELS)


def limited(image: Image, megapixels: float) -> Image:
    """The image; refused where its header claims more than so many million pixels."""
    refused = None
    if image.width * image.height > megapixels * 1e6:
        size = f"{image.width} x {image.height} pixels"
        refused = f"the header claims absurd dimensions: {size}, more than source.max_megapixels={megapixels:g}"
    return replace(image, refused=refused)
