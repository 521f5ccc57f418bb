"""One image of a source, as far as its header tells."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

# Nobody photographs more; a header that claims more is damaged or a decompression bomb.
MAX_PIXELS = 178_956_970

# What TensorFlow's decoders call a format, by what Pillow calls it.
_FORMATS = {"JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "GIF": "gif", "BMP": "bmp", "WEBP": "webp"}


@dataclass(frozen=True)
class Image:
    """A local image file.

    Attributes:
        path: absolute path.
        format: ``jpeg``, ``png``, ``gif``, ``bmp``, ``webp``, or ``other`` where the header names none of them.
        width, height: pixels as the header claims them; 0 where it says nothing.
        digest: SHA-256 of the file's bytes, hexadecimal.
        refused: why it must not be decoded, or None.
    """

    path: str
    format: str
    width: int
    height: int
    digest: str
    refused: str | None = None

    @property
    def name(self) -> str:
        return Path(self.path).name


def inspect(path: Path) -> Image:
    """Read the header of ``path``, decoding nothing. A header that cannot be read is left for the task to judge.

    Raises:
        OSError: the file cannot be read.
    """
    # Imported here: only the conductor inspects, and only after the configuration has been accepted.
    import PIL.Image

    absolute = str(path.absolute())
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        try:
            with warnings.catch_warnings():
                # Pillow warns, then raises, by its own limit; the limit that counts here is ours.
                warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
                with PIL.Image.open(file) as header:
                    width, height = header.size
                    kind = _FORMATS.get(header.format or "", "other")
        except PIL.Image.DecompressionBombError as error:
            return Image(absolute, "other", 0, 0, digest, refused=f"the header claims absurd dimensions: {error}")
        except Exception:  # Pillow raises whatever a damaged header makes it trip over; the task reports it
            return Image(absolute, "other", 0, 0, digest)
    refused = None
    if width * height > MAX_PIXELS:
        refused = f"the header claims absurd dimensions: {width} x {height} pixels, more than {MAX_PIXELS}"
    return Image(absolute, kind, width, height, digest, refused)
