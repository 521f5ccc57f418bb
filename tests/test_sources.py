"""Sources: which images they give, in which order, and which they refuse."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import PIL.Image
import pytest
from support.photos import photo, png_bomb

from runner.config.options import File, Folder, ImageFormat, Sample, Synthetic
from runner.errors import ConfigurationError
from runner.pipeline.sources import images_of
from runner.pipeline.sources.image import inspect


def test_the_sample_is_photographs_that_are_already_here() -> None:
    images = images_of(Sample(), 15)
    assert len(images) == 3
    assert all(image.format == "jpeg" and image.width * image.height > 250_000 for image in images)


def test_a_folder_is_searched_with_all_below_it_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a.jpg", "b/10.png", "b-c/1.jpg", "B.JPG"):
        photo(tmp_path / "photos" / name)
    (tmp_path / "photos" / "readme.txt").write_text("no image")
    images = images_of(Folder(path="photos"), 100)
    relative = [Path(image.path).relative_to(tmp_path / "photos").as_posix() for image in images]
    assert relative == ["B.JPG", "a.jpg", "b/10.png", "b/2.jpg", "b-c/1.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are POSIX")
def test_what_is_no_file_is_no_image_whatever_its_name(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    photo(tmp_path / "photos" / "b.jpg")
    os.mkfifo(tmp_path / "photos" / "a.jpg")
    (tmp_path / "photos" / "c.jpg").symlink_to("nowhere.jpg")
    assert [image.name for image in images_of(Folder(path="photos"), 9)] == ["b.jpg"]


def test_a_pattern_chooses_by_file_name(tmp_path: Path) -> None:
    photo(tmp_path / "photos" / "a.jpg")
    photo(tmp_path / "photos" / "a.png")
    assert [image.name for image in images_of(Folder(path="photos", pattern="*.png"), 9)] == ["a.png"]
    with pytest.raises(ConfigurationError, match=r"source\.pattern=\*\.gif"):
        images_of(Folder(path="photos", pattern="*.gif"), 9)


def test_no_more_images_are_inspected_than_an_epoch_has(tmp_path: Path) -> None:
    for name in "abc":
        photo(tmp_path / "photos" / f"{name}.jpg")
    assert [image.name for image in images_of(Folder(path="photos"), 2)] == ["a.jpg", "b.jpg"]


def test_a_file_is_one_image(tmp_path: Path) -> None:
    (image,) = images_of(File(path=str(photo(tmp_path / "one.png"))), 15)
    assert (image.name, image.format, image.width, image.height) == ("one.png", "png", 40, 30)


def test_synthetic_images_are_made_once_and_are_the_same_for_the_same_parameters(tmp_path: Path) -> None:
    option = Synthetic(count=2, width=64, height=48)
    first = images_of(option, 15)
    made = {image.path: Path(image.path).stat().st_mtime_ns for image in first}
    longer = images_of(Synthetic(count=3, width=64, height=48), 15)
    assert [image.digest for image in longer[:2]] == [image.digest for image in first]
    assert {path: Path(path).stat().st_mtime_ns for path in made} == made
    assert len({image.digest for image in longer}) == 3
    assert images_of(Synthetic(count=1, width=64, height=48, seed=1), 15)[0].digest != first[0].digest
    assert str(tmp_path / "outputs") in first[0].path


def test_synthetic_images_have_the_format_that_was_asked_for() -> None:
    (jpeg,) = images_of(Synthetic(count=1, width=32, height=32), 1)
    (png,) = images_of(Synthetic(count=1, width=32, height=32, format=ImageFormat.png), 1)
    assert (jpeg.format, png.format) == ("jpeg", "png")


def test_synthetic_images_are_as_rich_in_detail_as_photographs() -> None:
    """Bytes a pixel at the same quality follow the coefficients that a decoder has to handle."""

    def bytes_per_pixel(path: str) -> float:
        with PIL.Image.open(path) as picture:
            again = Path("again.jpg")
            picture.convert("RGB").save(again, quality=90)
            return again.stat().st_size / (picture.width * picture.height)

    real = [bytes_per_pixel(image.path) for image in images_of(Sample(), 3)]
    for image in images_of(Synthetic(count=2, width=640, height=427), 2):
        assert min(real) <= bytes_per_pixel(image.path) <= max(real)


def jpeg_bomb(path: Path, edge: int) -> Path:
    """A real JPEG whose frame header has been made to claim ``edge`` x ``edge`` pixels."""
    content = bytearray(photo(path).read_bytes())
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", edge, edge)
    path.write_bytes(content)
    return path


def test_a_header_that_claims_absurd_dimensions_is_refused(tmp_path: Path) -> None:
    for path in (png_bomb(tmp_path / "a.png"), jpeg_bomb(tmp_path / "b.jpg", 65_500), jpeg_bomb(tmp_path / "c.jpg", 14_000)):
        image = inspect(path)
        assert image.refused is not None, path
        assert "absurd dimensions" in image.refused


def test_a_large_photograph_is_not_refused(tmp_path: Path) -> None:
    assert inspect(jpeg_bomb(tmp_path / "large.jpg", 13_000)).refused is None


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_image_is_left_for_the_task_to_judge(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    image = inspect(path)
    assert (image.format, image.refused) == ("other", None)
