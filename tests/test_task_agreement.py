"""Libraries, graphs and eager execution agree; chance follows from the seed and the image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from support.tasks import ALL_STEPS, LIBRARIES, built, result, saved

from runner.config.options import (
    DctMethod,
    Execution,
    Opencv,
    Pillow,
    StepsOption,
    Tensorflow,
)
from runner.pipeline.arrays import array_digest
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.synthetic import photo_like
from runner.pipeline.tasks.chances import Box, Chances, chances, crop_box, factors, is_flipped

# How far a result may be from TensorFlow's, in levels of 255 and in deviations. Pillow cuts off after each step, OpenCV rounds.
LEVELS = 1.01


DEVIATIONS = 0.03


# With colour there are three such steps more, and the mean luma is rounded too.
COLOUR_LEVELS = 4.0


COLOUR_DEVIATIONS = 0.08


# TensorFlow's own choice of an inverse DCT is a rougher one than that of the others: most at sharp edges.
DEFAULT_DCT_DEVIATIONS = 0.3


DEFAULT_DCT_MEAN_DEVIATION = 0.03


STEP_LISTS = [
    ["decode"],
    ["decode", "resize"],
    ["decode", "standardize"],
    ["decode", "flip"],
    ["decode", "crop"],
    ["decode", "colour"],
    ["decode", "flip", "crop"],
    ["decode", "standardize", "resize"],
    ["decode", "standardize", "resize", "flip", "crop"],
    ["decode", "resize", "crop", "standardize", "flip"],
    ["decode", "colour", "resize", "standardize"],
    ALL_STEPS,
]


@pytest.fixture
def pictures(tmp_path: Path, sample: Sequence[Image]) -> list[Image]:
    """Photographs, a made JPEG that is progressive, a PNG, and one so small that it is enlarged."""
    made = photo_like(301, 203, (0, 0))
    return [
        *sample,
        saved(tmp_path / "progressive.jpg", made, quality=90, progressive=True),
        saved(tmp_path / "a.png", made),
        saved(tmp_path / "small.png", photo_like(50, 31, (0, 1))),
    ]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("steps", STEP_LISTS, ids="-".join)
@pytest.mark.parametrize("library", [Pillow, Opencv])
def test_a_library_does_what_tensorflow_does(
    pictures: list[Image], library: type[StepsOption], steps: list[str], channels: int
) -> None:
    if "colour" in steps and channels == 1:
        pytest.skip("no colour, and refused")
    for image in pictures:
        if channels == 1 and image.format == "png":
            continue  # TensorFlow's way from colour PNG to one channel is another, by one level
        theirs = result(Tensorflow(steps=steps, channels=channels, dct_method=DctMethod.accurate), image)
        ours = result(library(steps=steps, channels=channels), image)
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        if "standardize" in steps:
            allowed = COLOUR_DEVIATIONS if "colour" in steps else DEVIATIONS
        elif "colour" in steps:
            allowed = COLOUR_LEVELS
        else:
            allowed = LEVELS if "resize" in steps else 0
        assert np.abs(ours.astype(float) - theirs).max() <= allowed, image.name


@pytest.mark.parametrize("library", [Pillow, Opencv])
def test_tensorflows_own_inverse_dct_is_what_else_differs(sample: Sequence[Image], library: type[StepsOption]) -> None:
    for image in sample:
        difference = np.abs(result(library(), image) - result(Tensorflow(), image))
        assert difference.max() <= DEFAULT_DCT_DEVIATIONS
        assert difference.mean() <= DEFAULT_DCT_MEAN_DEVIATION


@pytest.mark.parametrize("steps", STEP_LISTS, ids="-".join)
def test_a_graph_and_eager_execution_agree_in_every_step(pictures: list[Image], steps: list[str]) -> None:
    for image in pictures:
        eager, graph = (result(Tensorflow(steps=steps, execution=execution), image) for execution in Execution)
        assert (eager.shape, eager.dtype) == (graph.shape, graph.dtype)
        assert np.array_equal(eager, graph)


def test_a_graph_is_traced_once_for_a_format_whatever_chance_brings(
    pictures: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    import tensorflow as tf

    traced = []

    def counted(name: str) -> Any:
        decode = getattr(tf.io, name)

        def call(*arguments: Any, **options: Any) -> Any:
            traced.append(name)
            return decode(*arguments, **options)

        return call

    for name in ("decode_jpeg", "decode_image"):
        monkeypatch.setattr(tf.io, name, counted(name))
    task = built(Tensorflow(steps=ALL_STEPS, execution=Execution.graph), pictures)
    for image in pictures * 2:
        task.run(Path(image.path).read_bytes(), image)
    assert sorted(traced) == ["decode_image", "decode_jpeg"]


def test_a_flat_picture_is_standardized_to_nothing_but_zeros(tmp_path: Path) -> None:
    image = saved(tmp_path / "flat.png", np.full((20, 30, 3), 77, np.uint8))
    for library in LIBRARIES:
        assert not result(library(size=8), image).any()


def image_of(digest: str) -> Image:
    return Image("x", "jpeg", 0, 0, digest)


def test_chance_follows_from_the_seed_and_the_image() -> None:
    assert chances(0, image_of("a")) == chances(0, image_of("a"))
    assert len({chances(seed, image_of(digest)) for seed, digest in itertools.product(range(3), "abc")}) == 9
    flipped = sum(is_flipped(chances(0, image_of(str(number)))) for number in range(400))
    assert 160 < flipped < 240


@pytest.mark.parametrize("part", [0.001, 0.3, 0.875, 1.0])
def test_a_crop_lies_within_the_picture_and_may_reach_every_border(part: float) -> None:
    boxes = [crop_box(chances(0, image_of(str(number))), 17, 5, part) for number in range(500)]
    width, height = max(1, round(17 * part)), max(1, round(5 * part))
    assert {(box.right - box.left, box.bottom - box.top) for box in boxes} == {(width, height)}
    assert {box.left for box in boxes} == set(range(17 - width + 1))
    assert {box.top for box in boxes} == set(range(5 - height + 1))


def test_a_crop_is_that_part_of_the_picture_and_a_flip_its_mirror_image(tmp_path: Path) -> None:
    whole = photo_like(40, 30, (0, 0))
    seen = set()
    for number in range(6):
        image = saved(tmp_path / "a.png", np.roll(whole, number, axis=0))
        drawn = chances(3, image)
        box: Box = crop_box(drawn, 40, 30, 0.5)
        expected = np.asarray(PIL.Image.open(image.path))[box.top : box.bottom, box.left : box.right]
        expected = expected[:, ::-1] if is_flipped(drawn) else expected
        seen.add(is_flipped(drawn))
        for library in LIBRARIES:
            assert np.array_equal(result(library(steps=["decode", "crop", "flip"], crop=0.5, seed=3), image), expected)
    assert seen == {True, False}


def test_colour_is_what_its_description_says(tmp_path: Path) -> None:
    levels = photo_like(40, 30, (0, 0))
    image = saved(tmp_path / "a.png", levels)
    brightness, contrast, saturation = factors(chances(5, image), 0.5)
    assert len({brightness, contrast, saturation, 1.0}) == 4
    luma = np.array([0.299, 0.587, 0.114])
    bright = np.clip(levels * brightness, 0, 255)
    mean = (bright @ luma).mean()
    contrasted = np.clip(mean + (bright - mean) * contrast, 0, 255)
    grey = (contrasted @ luma)[:, :, None]
    expected = np.clip(grey + (contrasted - grey) * saturation, 0, 255)
    for library in LIBRARIES:
        made = result(library(steps=["decode", "colour"], colour=0.5, seed=5), image)
        assert np.abs(made - expected).max() < (0.01 if library is Tensorflow else COLOUR_LEVELS), library


def test_the_bounds_of_colour_are_those_stated() -> None:
    for chance in (-1.0, 1.0):
        drawn = Chances(0, 0, 0, chance, chance, chance)
        assert factors(drawn, 0.2) == (1 + 0.2 * chance,) * 3


@pytest.mark.parametrize("library", LIBRARIES)
def test_another_seed_gives_another_result_and_the_same_seed_the_same(
    sample: Sequence[Image], library: type[StepsOption]
) -> None:
    first, again, other = (array_digest(result(library(steps=ALL_STEPS, seed=seed), sample[0])) for seed in (0, 0, 1))
    assert first == again
    assert first != other
