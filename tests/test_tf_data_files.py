"""mode.interleave: files that are read in turn. TFRecord files are read by TensorFlow itself, record by record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.photos import photo
from support.trials import Trials

from runner.config.options import Pillow, Tensorflow, TfData, TfDataDefault, Tfrecord, ThreadPool
from runner.config.registry import module_of
from runner.errors import ConfigurationError
from runner.modes.tf_data.files import parts
from runner.pipeline.sources import Image, images_of
from runner.pipeline.sources.image import inspect
from runner.record.trial import digest_of

SMALL = Tensorflow(size=32)


def shard(path: Path, *names: str) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for name in names:
            value = tf.train.BytesList(value=[photo(path.parent / path.stem / name).read_bytes() if name else b"no picture"])
            feature = {"image/encoded": tf.train.Feature(bytes_list=value)}
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files with three, one and two images, the second of the last is damaged; and a file that is none of them."""
    folder = tmp_path_factory.mktemp("shards")
    shard(folder / "a.tfrecord", "0.jpg", "1.png", "2.jpg")
    shard(folder / "b.tfrecord", "3.jpg")
    shard(folder / "c.tfrecord-00000-of-00001", "4.jpg", "")
    (folder / "notes.txt").write_text("no TFRecord")
    return folder


def words_of(folder: Path) -> dict[str, Any]:
    source = Tfrecord(path=str(folder))
    images = images_of(source, 6)
    return {"images": images, "source": source, "source_module": module_of("source", "tfrecord"), "task": SMALL}


def test_the_images_of_a_folder_are_those_of_its_files_in_the_order_of_their_names(shards: Path) -> None:
    images = images_of(Tfrecord(path=str(shards)), 99)
    names = [Path(image.path).name for image in images]
    assert names == ["a.tfrecord"] * 3 + ["b.tfrecord"] + ["c.tfrecord-00000-of-00001"] * 2
    assert images_of(Tfrecord(path=str(shards)), 4) == images[:4]


def test_a_folder_without_such_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is a folder without a file \*\.tfrecord"):
        images_of(Tfrecord(path=str(tmp_path)), 3)


def test_items_are_dealt_to_the_files_in_which_their_images_are() -> None:
    images = [Image(path, "jpeg", 1, 1, "", None, 0, 1) for path in "aaabcc"]
    assert parts(images, 8) == [("a", 0, 3), ("b", 3, 1), ("c", 4, 2), ("a", 6, 2)]
    assert parts(images, 2) == [("a", 0, 2)]


def test_records_of_several_files_come_in_turn(trials: Trials, shards: Path) -> None:
    report = trials.report(TfData(interleave=3, deterministic=True), items=6, **words_of(shards))
    (epoch,) = report.epochs
    assert [record.item for record in epoch.records if record.ok] == [0, 3, 4, 1, 2]
    one_by_one = trials.report(TfData(interleave=1, deterministic=True), items=6, **words_of(shards))
    assert [record.item for record in one_by_one.epochs[0].records if record.ok] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("mode", [TfData(interleave=2), TfDataDefault(batch_size=2)], ids=["interleave", "default"])
def test_results_of_files_in_turn_are_those_of_other_modes(trials: Trials, shards: Path, mode: TfData) -> None:
    words = words_of(shards)
    report = trials.report(mode, items=15, epochs=2, **words)
    assert digest_of(report.verification) == digest_of(trials.report(ThreadPool(), items=15, **words).verification)
    for epoch in report.epochs:
        assert sorted(record.item for record in epoch.records) == list(range(15))
        assert epoch.records.failed() == {5, 11}


def test_a_task_that_is_not_tensorflows_gets_the_records_too(trials: Trials, shards: Path) -> None:
    words = {**words_of(shards), "task": Pillow(size=32), "task_module": module_of("task", "pillow")}
    report = trials.report(TfData(interleave=2), items=6, **words)
    assert report.epochs[0].records.failed() == {5}


def test_several_files_are_read_at_a_time_and_images_keep_their_order(trials: Trials, tmp_path: Path) -> None:
    images = [inspect(photo(tmp_path / f"{number}.jpg")) for number in range(12)]
    note = tmp_path / "note"
    words: dict[str, Any] = {"source_module": "support.slow_source", "source": str(note), "images": images, "task": SMALL}
    report = trials.report(TfData(interleave=3, deterministic=True), workers=8, items=24, **words)
    assert int(note.read_text()) >= 3  # beside those in turn, TensorFlow reads those that are next
    assert [record.item for record in report.epochs[0].records] == list(range(24))


def test_the_record_says_how_long_tensorflow_reads_a_record(trials: Trials, shards: Path) -> None:
    backend = trials.report(TfData(interleave=2, autotune=True), items=120, **words_of(shards)).backend
    read = next(stage for stage in backend["stages"] if stage["stage"] == "read")
    assert read["ms_per_image"] > 0
