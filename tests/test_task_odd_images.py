"""Odd and damaged images get the same verdict from every library."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from support.tasks import LIBRARIES, result, saved

from runner.config.options import (
    DctMethod,
    Execution,
    Opencv,
    Pillow,
    StepsOption,
    Tensorflow,
)
from runner.errors import ImageError
from runner.pipeline.sources.image import Image, inspect
from runner.pipeline.sources.synthetic import photo_like


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Image]:
    """One image for each oddity."""
    colour = PIL.Image.fromarray(photo_like(120, 81, (0, 0)))
    grey = colour.convert("L")
    deep = (np.asarray(grey).astype(np.uint16) << 8) + 37
    clear = colour.copy()
    clear.putalpha(grey)
    turned = PIL.Image.Exif()
    turned[0x112] = 6
    images = {
        "grey.jpg": saved(tmp_path / "grey.jpg", grey),
        "grey.png": saved(tmp_path / "grey.png", grey),
        "rgba.png": saved(tmp_path / "rgba.png", clear),
        "grey_alpha.png": saved(tmp_path / "grey_alpha.png", clear.convert("LA")),
        "palette.png": saved(tmp_path / "palette.png", colour.convert("P")),
        "16_bit.png": saved(tmp_path / "16_bit.png", deep),
        "bilevel.png": saved(tmp_path / "bilevel.png", colour.convert("1")),
        "cmyk.jpg": saved(tmp_path / "cmyk.jpg", colour.convert("CMYK")),
        "turned.jpg": saved(tmp_path / "turned.jpg", colour, exif=turned),
        "a.gif": saved(tmp_path / "a.gif", colour),
        "a.bmp": saved(tmp_path / "a.bmp", colour),
        "a.webp": saved(tmp_path / "a.webp", colour, lossless=True),
        "1x1.png": saved(tmp_path / "1x1.png", colour.crop((0, 0, 1, 1))),
    }
    thumbnail = images["turned.jpg"].path
    for name in ("turned.jpg", "grey.png", "a.gif", "a.bmp", "a.webp"):
        data = (tmp_path / name).read_bytes()
        cut = tmp_path / f"cut_{name}"
        cut.write_bytes(data[: len(data) * 2 // 3])
        images[cut.name] = inspect(cut)
    # The end of the thumbnail within is no end of the image.
    within = Path(thumbnail).read_bytes()
    (tmp_path / "cut_thumbnail.jpg").write_bytes(
        within[:2] + b"\xff\xe5" + (len(within) + 2).to_bytes(2, "big") + within + within[2 : len(within) * 2 // 3]
    )
    images["cut_thumbnail.jpg"] = inspect(tmp_path / "cut_thumbnail.jpg")
    (tmp_path / "no_image.jpg").write_bytes(b"no image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    return images | {name: inspect(tmp_path / name) for name in ("no_image.jpg", "empty.jpg")}


@pytest.mark.parametrize("library", LIBRARIES)
def test_odd_images_get_the_same_verdict_from_every_library(odd: dict[str, Image], library: type[StepsOption]) -> None:
    verdicts = {}
    for name, image in odd.items():
        try:
            result(library(size=32), image)
            verdicts[name] = "ok"
        except Exception:
            verdicts[name] = "failed"
    bad = {name for name in odd if name.startswith(("cut_", "no_", "empty"))}
    assert verdicts == {name: "failed" if name in bad else "ok" for name in odd}


@pytest.mark.parametrize("library", [Pillow, Opencv])
def test_odd_images_come_out_as_from_tensorflow(odd: dict[str, Image], library: type[StepsOption]) -> None:
    for name, image in odd.items():
        if name.startswith(("cut_", "no_", "empty")):
            continue
        theirs = result(Tensorflow(steps=["decode"], dct_method=DctMethod.accurate), image)
        ours = result(library(steps=["decode"]), image)
        # OpenCV's way from CMYK to RGB rounds the other way.
        allowed = 1 if (library, name) == (Opencv, "cmyk.jpg") else 0
        assert np.abs(ours.astype(int) - theirs).max() <= allowed, name


def test_what_follows_a_picture_does_not_make_it_damaged(odd: dict[str, Image], tmp_path: Path) -> None:
    """As motion photos have a film behind them, with any bytes in it, and an MPO a second picture."""
    data = Path(odd["turned.jpg"].path).read_bytes()
    film = b"\x00\x00\x00\x18ftypmp42" + b"\xff\xd9\x12\x34\xff\xda\x00\x0c" * 40 + b"moov"
    for name, rest in (("motion.jpg", film), ("cut_second.jpg", data[: len(data) * 2 // 3])):
        (tmp_path / name).write_bytes(data + rest)
        assert (
            result(Opencv(steps=["decode"]), inspect(tmp_path / name)) == result(Opencv(steps=["decode"]), odd["turned.jpg"])
        ).all()
    (tmp_path / "cut_motion.jpg").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(ImageError, match="cut off"):
        result(Opencv(), inspect(tmp_path / "cut_motion.jpg"))


def test_a_damaged_animation_fails_in_opencv_as_elsewhere(tmp_path: Path) -> None:
    frames = [PIL.Image.fromarray(photo_like(60, 40, (0, number))) for number in range(3)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    data = bytearray((tmp_path / "a.png").read_bytes())
    assert result(Opencv(steps=["decode"]), inspect(tmp_path / "a.png")).shape == (40, 60, 3)
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "damaged.png").write_bytes(data)
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 3])
    for name in ("damaged.png", "cut.png"):
        with pytest.raises(ImageError, match="animated PNG that is damaged"):
            result(Opencv(), inspect(tmp_path / name))


def test_one_channel_of_a_picture_with_a_second_one_is_that_of_the_picture_alone(tmp_path: Path) -> None:
    colour = PIL.Image.fromarray(photo_like(60, 40, (0, 0)))
    colour.save(tmp_path / "a.mpo", format="MPO", save_all=True, append_images=[colour], quality=90)
    colour.save(tmp_path / "a.jpg", quality=90)
    theirs = result(Tensorflow(steps=["decode"], channels=1, dct_method=DctMethod.accurate), inspect(tmp_path / "a.mpo"))
    assert (result(Pillow(steps=["decode"], channels=1), inspect(tmp_path / "a.mpo")) == theirs).all()


@pytest.mark.parametrize("execution", list(Execution))
def test_tensorflow_refuses_a_bmp_with_a_palette_instead_of_taking_it_for_grey(tmp_path: Path, execution: Execution) -> None:
    colour = PIL.Image.fromarray(photo_like(60, 40, (0, 0)))
    colour.convert("P").save(tmp_path / "a.bmp")
    colour.convert("L").save(tmp_path / "grey.bmp")
    with pytest.raises(Exception, match="a BMP with a palette"):
        result(Tensorflow(execution=execution), inspect(tmp_path / "a.bmp"))
    assert result(Pillow(steps=["decode"]), inspect(tmp_path / "a.bmp")).shape == (40, 60, 3)
    assert result(Tensorflow(steps=["decode"]), inspect(tmp_path / "grey.bmp")).shape == (40, 60, 3)


def test_tensorflow_alone_has_no_way_to_one_channel_from_some_formats(odd: dict[str, Image]) -> None:
    for name in ("cmyk.jpg", "a.gif", "a.bmp", "a.webp"):
        for library in LIBRARIES:
            config = dataclasses.replace(library(), channels=1, size=16)
            if library is Tensorflow:
                with pytest.raises(Exception, match=r"(?i)channel|color|Uncompress"):
                    result(config, odd[name])
            else:
                assert result(config, odd[name]).shape == (16, 16, 1)
