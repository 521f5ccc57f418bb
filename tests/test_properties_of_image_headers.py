"""Whatever bytes an image file has: what its header says of it, or that it says nothing; the task is left to fail."""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib

import PIL.features
import PIL.Image
from hypothesis import given
from hypothesis import strategies as st
from support.mutations import anything_or

from runner.pipeline.sources.image import MAX_MEGAPIXELS, Image, described
from runner.pipeline.sources.synthetic import photo_like

FORMATS = {
    "JPEG": "jpeg",
    "PNG": "png",
    "GIF": "gif",
    "BMP": "bmp",
    "WEBP": "webp",
    "MPO": "jpeg",
    "TIFF": "other",
    "ICO": "other",
}
PICTURE = PIL.Image.fromarray(photo_like(20, 16, (0, 0)))


def saved(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, form, **options)
    return file.getvalue()


EXIF = PIL.Image.Exif()
EXIF[0x0112] = 6
GOOD = {
    **{form: saved(form) for form in FORMATS},
    "JPEG with Exif": saved("JPEG", exif=EXIF, icc_profile=b"p" * 200, comment=b"c"),
    "progressive JPEG": saved("JPEG", progressive=True),
    "PNG with text": saved("PNG", icc_profile=b"p" * 200, dpi=(72, 72)),
    "animated GIF": saved("GIF", save_all=True, append_images=[PICTURE]),
    "animated WEBP": saved("WEBP", save_all=True, append_images=[PICTURE]),
}


def header_of(content: bytes) -> Image:
    """The description of a file; no warning comes out of it."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        image = described("there.jpg", io.BytesIO(content))
    assert [str(warning.message) for warning in heard] == []
    return image


@given(st.sampled_from(sorted(FORMATS)), st.integers(1, 300), st.integers(1, 300))
def test_a_good_header_is_read_in_every_format(form: str, width: int, height: int) -> None:
    if form == "ICO":
        width = height = min(width, height, 200)
    file = io.BytesIO()
    PIL.Image.new("RGB", (width, height)).save(file, form, **({"sizes": [(width, height)]} if form == "ICO" else {}))
    image = header_of(file.getvalue())
    assert (image.format, image.width, image.height, image.refused) == (FORMATS[form], width, height, None)


# Where a header has the width and the height, and how.
SIZES = {"PNG": (16, ">II"), "BMP": (18, "<ii")}


@given(st.sampled_from(sorted(SIZES)), st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_a_header_that_claims_more_pixels_than_the_limit_is_refused(form: str, width: int, height: int) -> None:
    at, how = SIZES[form]
    content = bytearray(GOOD[form])
    struct.pack_into(how, content, at, width, height)
    if form == "PNG":
        struct.pack_into(">I", content, 29, zlib.crc32(content[12:29]))
    image = header_of(bytes(content))
    if width * height > MAX_MEGAPIXELS * 1e6:
        assert image.refused is not None
    else:
        assert (image.width, image.height, image.refused) == (width, height, None)


@given(st.one_of(*(anything_or(content, reach=reach) for content in GOOD.values() for reach in (64, None))))
def test_any_bytes_have_a_header_or_none_and_what_is_too_large_is_refused(content: bytes) -> None:
    image = header_of(content)
    assert image.digest == hashlib.sha256(content).hexdigest()
    assert image.format in {*FORMATS.values()}
    assert min(image.width, image.height) >= 0
    if image.width * image.height > MAX_MEGAPIXELS * 1e6:
        assert image.refused is not None
