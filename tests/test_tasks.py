"""Tasks: the libraries agree, chance is the same everywhere, and what cannot be done is said."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from support.made_records import known
from support.program import Program
from support.trials import Trials

from runner.config.options import (
    DctMethod,
    Dtype,
    Execution,
    Function,
    Inference,
    Math,
    Opencv,
    Pillow,
    Process,
    ProcessPool,
    Python,
    StartMethod,
    StepsOption,
    Tensorflow,
    Thread,
    ThreadPool,
)
from runner.config.registry import load, module_of
from runner.host.affinity import allowed_cpus
from runner.pipeline.arrays import array_digest
from runner.pipeline.sources.image import Image, inspect
from runner.pipeline.sources.synthetic import photo_like
from runner.pipeline.tasks.arrays import roughly_hashed
from runner.pipeline.tasks.chances import Box, Chances, chances, crop_box, factors, is_flipped
from runner.record.gil import gil_record
from runner.record.trial import digest_of

LIBRARIES = [Tensorflow, Pillow, Opencv]

# How far a result may be from TensorFlow's, in levels of 255 and in deviations. Pillow cuts off after each step, OpenCV rounds.
LEVELS = 1.01
DEVIATIONS = 0.03
# With colour there are three such steps more, and the mean luma is rounded too.
COLOUR_LEVELS = 4.0
COLOUR_DEVIATIONS = 0.08
# TensorFlow's own choice of an inverse DCT is a rougher one than that of the others: most at sharp edges.
DEFAULT_DCT_DEVIATIONS = 0.3
DEFAULT_DCT_MEAN_DEVIATION = 0.03

ALL_STEPS = ["decode", "crop", "flip", "resize", "colour", "standardize"]

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


def built(config: Any, images: Sequence[Image]) -> Any:
    return load("task", config.name)(config, images)


def result(config: Any, image: Image) -> Any:
    task = built(config, [image])
    return task.array(task.run(Path(image.path).read_bytes(), image))


def saved(path: Path, array: Any, **options: Any) -> Image:
    picture = array if isinstance(array, PIL.Image.Image) else PIL.Image.fromarray(array)
    picture.save(path, **options)
    return inspect(path)


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


# ------------------------------------------------------------------------------------------------------ agreement


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
    from runner.pipeline.tasks.tensorflow import TensorflowTask

    traced = []
    decode = TensorflowTask._decode

    def counted(task: TensorflowTask, data: Any, form: str) -> Any:
        traced.append(form)
        return decode(task, data, form)

    monkeypatch.setattr(TensorflowTask, "_decode", counted)
    task = built(Tensorflow(steps=ALL_STEPS, execution=Execution.graph), pictures)
    for image in pictures * 2:
        task.run(Path(image.path).read_bytes(), image)
    assert sorted(traced) == ["jpeg", "png"]


def test_a_flat_picture_is_standardized_to_nothing_but_zeros(tmp_path: Path) -> None:
    image = saved(tmp_path / "flat.png", np.full((20, 30, 3), 77, np.uint8))
    for library in LIBRARIES:
        assert not result(library(size=8), image).any()


# --------------------------------------------------------------------------------------------------------- chance


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


# ---------------------------------------------------------------------------------------------------------- modes


@pytest.mark.parametrize(
    "task",
    [
        Tensorflow(steps=ALL_STEPS),
        Tensorflow(steps=ALL_STEPS, execution=Execution.graph),
        Pillow(steps=ALL_STEPS),
        Opencv(steps=ALL_STEPS),
        Python(size=8),
        Math(size=96, repeats=2),
        Inference(model="MobileNet", size=75),
        Function(function="support.my_functions:digest"),
    ],
    ids=lambda task: task.name,
)
def test_every_mode_gives_the_same_result(trials: Trials, task: Any) -> None:
    # Spawned workers import TensorFlow each: one of the three tasks that use it shows that it makes no difference.
    dear = isinstance(task, Inference) or (isinstance(task, Tensorflow) and task.execution is Execution.eager)
    method = StartMethod.fork if dear else StartMethod.spawn
    modes = [
        (Thread(), (1, 1)),
        (ThreadPool(), (0, 0)),
        (Process(start_method=StartMethod.fork), (1, 1)),
        (Process(start_method=StartMethod.fork), (0, 0)),
        (ProcessPool(start_method=method, threads_per_worker=2), (2, 1)),
    ]
    digests = set()
    for mode, limits in modes:
        report = trials.report(mode, task=task, task_module=module_of("task", task.name), limits=limits)
        assert report.epochs[0].records.errors == {}
        assert report.verification.errors == {}
        assert len(set(report.verification.digests.values())) == 3
        digests.add(digest_of(report.verification))
        for worker in report.workers:
            uses = task.name in {"tensorflow", "inference", "function"}
            assert (worker.threads.intra_op, worker.threads.inter_op) == (limits if uses else (None, None))
            if task.name == "opencv":
                assert worker.threads.opencv == (limits[0] or len(allowed_cpus() or ()) or os.cpu_count())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("task", "depend"),
    [
        (Tensorflow(), False),
        (Tensorflow(size=1000), True),
        (Tensorflow(steps=["decode", "crop", "resize"], size=1000), False),
        (Tensorflow(steps=["decode", "resize", "colour", "standardize"]), False),
        (Tensorflow(steps=["decode", "colour", "resize"]), True),
        (Tensorflow(steps=["decode", "standardize"]), True),
        (Opencv(steps=["decode", "standardize"]), False),
    ],
)
def test_means_over_whole_photographs_are_not_compared_bit_by_bit_between_thread_settings(task: Any, depend: bool) -> None:
    assert task.last_bits_depend_on_threads is depend


def test_a_worker_without_tensorflow_does_not_import_it() -> None:
    """What a worker that is spawned would have to; a forked one shares it with the fork server anyway."""
    modules = ", ".join(module_of("task", name) for name in ("pillow", "opencv", "python", "math"))
    script = f"import sys, runner.modes.process, {modules}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


# ---------------------------------------------------------------------------------------- python, math, inference


def test_python_averages_and_standardizes(tmp_path: Path) -> None:
    levels = photo_like(32, 32, (0, 0))
    made = result(Python(size=8), saved(tmp_path / "a.png", levels))
    means = levels.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    assert made.dtype == np.float32
    assert np.abs(made - (means - means.mean()) / means.std()).max() < 1e-5


def test_python_holds_the_interpreter_lock(trials: Trials) -> None:
    outcome = trials.outcome(Thread(), items=24, task=Python(size=64), task_module=module_of("task", "python"), gil_probe=True)
    assert outcome.report is not None
    gil = gil_record(outcome.report)
    assert gil is not None
    if not gil["excludes_cpu_wait"]:
        pytest.skip("this system does not tell the wait for a lock from that for a CPU")
    assert known(gil["held_pct"]) > 60


@pytest.mark.parametrize("dtype", Dtype)
def test_math_is_the_power_of_a_matrix_that_follows_from_the_digest(sample: Sequence[Image], dtype: Dtype) -> None:
    one, again, other = (result(Math(size=64, repeats=3, dtype=dtype), sample[index]) for index in (0, 0, 1))
    assert one.shape == (64,)
    assert one.dtype == np.float64
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    matrix = np.random.default_rng(int(sample[0].digest, 16)).random((64, 64), dtype.value).astype(float)
    expected = np.linalg.matrix_power((matrix - 0.5) * (12 / 64) ** 0.5, 4).sum(axis=1)
    assert np.allclose(one, expected, atol=1e-4 if dtype is Dtype.float32 else 1e-12)


@pytest.mark.parametrize("size", [333, 777])  # where the sums are split up among threads in other places
def test_a_rough_digest_does_not_depend_on_the_threads_of_blas(sample: Sequence[Image], size: int) -> None:
    from threadpoolctl import threadpool_limits

    task = built(Math(size=size, dtype=Dtype.float64), sample)
    digests = set()
    for threads in (1, 2, 3):
        with threadpool_limits(threads, "blas"):
            digests.add(task.digest(task.run(b"", sample[0])))
    assert len(digests) == 1


def test_a_rough_digest_overlooks_rounding_and_sees_the_rest() -> None:
    random = np.random.default_rng(0)
    overlooked = 0
    for _ in range(500):
        vector = random.standard_normal(1000)
        noise = random.standard_normal(1000) * 1e-6
        overlooked += roughly_hashed(vector) == roughly_hashed(vector + noise)
        assert roughly_hashed(vector) != roughly_hashed(vector[::-1])
        assert roughly_hashed(vector) != roughly_hashed(vector * 1.05)
        assert roughly_hashed(vector) != roughly_hashed(random.standard_normal(1000))
    assert overlooked >= 498
    assert roughly_hashed(np.zeros(3)) != roughly_hashed(np.zeros(4))
    assert roughly_hashed(np.array([np.nan])) == roughly_hashed(np.array([np.nan]))


def test_inference_has_the_same_weights_for_the_same_seed(sample: Sequence[Image]) -> None:
    one, again, other = (result(Inference(model="MobileNet", size=75, seed=seed), sample[0]) for seed in (0, 0, 1))
    assert one.shape == (1000,)
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


# ------------------------------------------------------------------------------------------------------- function


def function_trial(trials: Trials, name: str, mode: Any = None) -> Any:
    task = Function(function=f"support.my_functions:{name}")
    return trials.outcome(mode or Process(), task=task, task_module=module_of("task", "function"))


@pytest.mark.parametrize("name", ["lengths", "digest", "tensor"])
def test_a_function_of_ones_own_returns_an_array_or_bytes_or_a_tensor(trials: Trials, name: str) -> None:
    outcome = function_trial(trials, name)
    assert outcome.error is None, outcome.error
    assert outcome.report.epochs[0].records.errors == {}
    assert len(set(outcome.report.verification.digests.values())) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raising", "ValueError: not these"),
        ("text", "support.my_functions:text returned str; a NumPy array, bytes or a tensor"),
    ],
)
def test_a_function_that_goes_wrong_fails_its_images(trials: Trials, name: str, message: str) -> None:
    report = function_trial(trials, name).report
    assert len(report.epochs[0].records.errors) == 6
    assert all(message in error for error in report.epochs[0].records.errors.values())


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=lambda mode: mode.name)
@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "my_functions has no nothing"), ("NO_FUNCTION", "is no function but int")]
)
def test_a_name_that_is_no_function_fails_the_trial(trials: Trials, name: str, message: str, mode: Any) -> None:
    error = function_trial(trials, name, mode).error
    assert error is not None
    assert error.kind == "ConfigurationError"
    assert f"task.function=support.my_functions:{name}" in str(error)
    assert message in str(error)


def test_a_module_that_cannot_be_imported_fails_the_trial(trials: Trials) -> None:
    task = Function(function="no_such_module:f")
    error = trials.outcome(Process(), task=task, task_module=module_of("task", "function")).error
    assert error is not None
    assert "cannot be imported: No module named 'no_such_module'" in str(error)


def test_a_record_that_names_a_function_is_repeated_only_where_it_is_named_again(program: Program) -> None:
    (program.folder / "mine.py").write_text("def f(data): return data[:100]\n")
    chosen = ["task=function", "task.function=mine:f", "protocol=once", "tracking=none", "workers=1", "images=1"]
    answer = program(*chosen)
    assert answer.returncode == 0, answer.stderr
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    (program.folder / "mine.py").write_text("open('has_run', 'w').close()\n\ndef f(data): return data[:100]\n")
    refused = program("rerun", str(folder))
    assert refused.returncode == 1
    assert refused.stderr.startswith("task.function='mine:f': is code that the record names"), refused.stderr
    assert not (program.folder / "has_run").exists()
    answer = program("rerun", str(folder), "task.function=mine:f", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    assert (program.folder / "has_run").exists()


# ----------------------------------------------------------------------------------------------------- odd images


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


def test_tensorflow_alone_has_no_way_to_one_channel_from_some_formats(odd: dict[str, Image]) -> None:
    for name in ("cmyk.jpg", "a.gif", "a.bmp", "a.webp"):
        for library in LIBRARIES:
            config = dataclasses.replace(library(), channels=1, size=16)
            if library is Tensorflow:
                with pytest.raises(Exception, match=r"(?i)channel|color|Uncompress"):
                    result(config, odd[name])
            else:
                assert result(config, odd[name]).shape == (16, 16, 1)
