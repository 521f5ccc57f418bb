"""Sources: which images they give, in which order, and which they refuse."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import PIL.Image
import pytest
from support.composing import composed
from support.photos import photo, png_bomb

from runner.config.options import File, Folder, ImageFormat, Pillow, Sample, Synthetic
from runner.config.plain import config_hash
from runner.errors import ConfigurationError
from runner.pipeline.sources import images_of
from runner.pipeline.sources.image import inspect
from runner.pipeline.tasks.pillow import PillowTask


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
    for path in (png_bomb(tmp_path / "a.png"), jpeg_bomb(tmp_path / "b.jpg", 65_500), jpeg_bomb(tmp_path / "c.jpg", 23_000)):
        image = inspect(path)
        assert image.refused is not None, path
        assert "absurd dimensions" in image.refused


def test_a_large_photograph_is_not_refused_unless_the_user_says_so(tmp_path: Path) -> None:
    large = jpeg_bomb(tmp_path / "large.jpg", 16_320)
    (image,) = images_of(File(path=str(large)), 1)
    assert image.refused is None
    (image,) = images_of(File(path=str(large), max_megapixels=200), 1)
    assert image.refused == "the header claims absurd dimensions: 16320 x 16320 pixels, more than source.max_megapixels=200"
    (image,) = images_of(File(path=str(png_bomb(tmp_path / "bomb.png")), max_megapixels=4000), 1)
    assert image.refused is None


def test_pillow_decodes_what_is_not_refused(tmp_path: Path) -> None:
    """Its own limit, which phones exceed, is 179 million pixels."""
    PIL.Image.new("L", (16_320, 12_240), 7).save(tmp_path / "phone.png")
    image = inspect(tmp_path / "phone.png")
    assert image.refused is None
    task = PillowTask(Pillow(channels=1, steps=["decode", "resize"], size=8), [image])
    assert task.run(Path(image.path).read_bytes(), image).shape == (8, 8, 1)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\xff\xd8\xff\xe0 cut off"])
def test_a_file_that_is_no_image_is_left_for_the_task_to_judge(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    image = inspect(path)
    assert (image.format, image.refused) == ("other", None)


def test_endings_and_patterns_are_matched_without_regard_to_large_and_small_letters(tmp_path: Path) -> None:
    for name in ("a.JPG", "b.jfif", "c.JPE", "d.jpg", "e.PNG"):
        photo(tmp_path / "made.png" if name.endswith("PNG") else tmp_path / "made.jpg").rename(tmp_path / name)
    assert [image.name for image in images_of(Folder(path=str(tmp_path)), 9)] == ["a.JPG", "b.jfif", "c.JPE", "d.jpg", "e.PNG"]
    assert [image.name for image in images_of(Folder(path=str(tmp_path), pattern="*.Jpg"), 9)] == ["a.JPG", "d.jpg"]


def test_a_pattern_with_an_ending_of_its_own_decides_what_an_image_is(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (8, 8)).save(tmp_path / "a.TIFF")
    assert [image.name for image in images_of(Folder(path=str(tmp_path), pattern="*.tiff"), 9)] == ["a.TIFF"]


def test_where_there_is_no_image_it_is_said_what_there_is(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    photo(elsewhere / "a.jpg")
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.TIFF", "b.tiff", "c.txt", "Makefile"):
        (folder / name).write_text("")
    (folder / "linked").symlink_to(elsewhere)
    with pytest.raises(ConfigurationError) as refused:
        images_of(Folder(path=str(folder), follow_links=False), 9)
    assert "it has other files: 2 .tiff, " in str(refused.value)
    assert "1 without an ending" in str(refused.value)
    assert "1 linked folders, which source.follow_links=true would search" in str(refused.value)


def test_linked_folders_are_searched_each_once_and_loops_end(tmp_path: Path) -> None:
    photo(tmp_path / "elsewhere" / "a.jpg")
    photo(tmp_path / "photos" / "own" / "b.jpg")
    (tmp_path / "photos" / "zz_linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "photos" / "own" / "loop").symlink_to(tmp_path / "photos")
    (tmp_path / "photos" / "aa_own").symlink_to(tmp_path / "photos" / "own")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "photos")
    images = images_of(Folder(path=str(tmp_path / "photos")), 9)
    assert [Path(image.path).relative_to(tmp_path / "photos").as_posix() for image in images] == ["again/a.jpg", "own/b.jpg"]
    assert [image.name for image in images_of(Folder(path=str(tmp_path / "photos"), follow_links=False), 9)] == ["b.jpg"]


def test_what_came_later_leaves_the_hash_of_a_configuration_as_it_was(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    words = ["source=folder", f"source.path={tmp_path}"]
    as_before = composed(*words)
    assert config_hash(as_before) == config_hash(composed(*words, "source.follow_links=true"))
    assert config_hash(as_before) != config_hash(composed(*words, "source.follow_links=false"))
    assert config_hash(as_before) == config_hash(composed(*words, "protocol.max_failed_pct=10"))
