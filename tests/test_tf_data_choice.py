"""What mode=tf_data refuses, each in one message; and what its choices come to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.composing import composed
from support.numbered_task import Noting
from support.photos import photo
from support.points import measured

from runner.analysis.warnings import of_point
from runner.config.options import (
    Config,
    NoConsumer,
    Sample,
    Tensorflow,
    TfData,
    TfDataBatch,
    TfDataCache,
    TfDataDefault,
    Thread,
)
from runner.config.plain import config_hash
from runner.errors import ConfigurationError
from runner.modes import ModePlan
from runner.modes.tf_data.calls import item_work
from runner.modes.tf_data.dataset import Asked, dataset_of
from runner.sweeps.checking import checked
from runner.trial.supervisor import Supervisor


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("mode.batch_size=4", "mode.batch_size=4: has no effect without batches"),
        ("mode.batch=after mode.batch_size=4 consumer=emulated", "is not the batch of the consumer, which has consumer.batch=32"),
        ("mode.batch=before task=pillow", "maps the task over batches, and task=pillow handles one image at a time"),
        ("mode.batch=before task.steps=[decode]", "has no step after decode"),
        ("mode.batch=before task.steps=[decode,flip,resize]", "draws the step flip for each image"),
        ("mode.batch=before task.channels=0", "as many channels as each file has"),
        ("mode.cache=file task=pillow", "mode.cache=file: holds tensors"),
        ("mode.shuffle=8 consumer=emulated", "mode.shuffle=8: mixes the images, and the consumer is to get them in their order"),
        ("mode.autotune=false mode.prefetch=-1", "mode.autotune=false: leaves nobody to choose"),
        ("mode.autotune_cpus=2", "mode.autotune_cpus=2: is a limit for what TensorFlow chooses, and nothing is left to it"),
        ("mode.autotune_ram_mb=100 mode.autotune=true", "mode.autotune_ram_mb=100: is a limit"),
        ("mode.interleave=-2", "mode.interleave=-2: is out of range"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_reason(words: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        composed("mode=tf_data", *words.split())
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [
        "mode.shuffle=8 consumer=emulated consumer.order=arrival",
        "mode.batch=before mode.batch_size=4",
        "mode.autotune_cpus=2 mode.prefetch=-1",
        "mode.cache=decoded task=pillow",
    ],
)
def test_what_can_be_is_accepted(words: str) -> None:
    assert composed("mode=tf_data", *words.split()).mode.name == "tf_data"


def test_images_of_different_sizes_are_refused_for_batches_before_the_map(tmp_path: Path) -> None:
    folder = photo(tmp_path / "photos" / "a.jpg").parent
    photo(folder / "b.jpg", (64, 48))
    words = ("mode=tf_data", "mode.batch=before", "source=folder", f"source.path={folder}", "images=4")
    with pytest.raises(ConfigurationError, match=r"must be alike, and there are some of 40 x 30 and 64 x 48 pixels"):
        checked(composed(*words))
    checked(composed(*words, "source.pattern=a*"))


def test_one_file_is_refused_where_several_are_to_be_read_in_turn(tmp_path: Path) -> None:
    path = photo(tmp_path / "a.jpg")
    words = ("source=file", f"source.path={path}", "images=4")
    with pytest.raises(ConfigurationError, match="reads several files in turn, and all images are in one"):
        checked(composed("mode=tf_data", "mode.interleave=4", *words))
    checked(composed("mode=tf_data_default", *words))


def test_records_out_of_several_files_are_refused_to_a_consumer_that_keeps_their_order(tmp_path: Path) -> None:
    import tensorflow as tf

    for name in ("a", "b"):
        value = tf.train.BytesList(value=[photo(tmp_path / f"{name}.jpg").read_bytes()])
        features = tf.train.Features(feature={"image/encoded": tf.train.Feature(bytes_list=value)})
        with tf.io.TFRecordWriter(str(tmp_path / f"{name}.tfrecord")) as writer:
            writer.write(tf.train.Example(features=features).SerializeToString())
    words = ("mode=tf_data_default", "source=tfrecord", f"source.path={tmp_path}", "images=4", "consumer=emulated")
    with pytest.raises(
        ConfigurationError, match="takes an image of each file in turn, and the consumer is to get them in their order"
    ):
        checked(composed(*words))
    checked(composed(*words, "consumer.order=arrival"))


def test_configurations_without_the_new_choices_have_the_hash_that_they_had() -> None:
    """Computed by the version before these choices."""
    assert config_hash(composed("mode=tf_data")) == "9251df83bd5c85d3"
    assert config_hash(composed("mode=tf_data", "mode.parallelism=autotune", "mode.prefetch=-1")) == "c398cbf7f1e443f9"


def test_limits_and_rewriting_reach_tensorflow() -> None:
    config: Config = composed("mode=tf_data", "mode.parallelism=autotune", "mode.autotune_cpus=3", "mode.autotune_ram_mb=50")
    given, default = options_of(config.mode), options_of(TfDataDefault())
    assert (given.autotune.enabled, given.autotune.cpu_budget, given.autotune.ram_budget) == (True, 3, 50_000_000)
    assert given.experimental_optimization.map_parallelization is given.experimental_optimization.inject_prefetch is False
    assert default.experimental_optimization.map_parallelization is default.experimental_optimization.inject_prefetch is None
    assert not options_of(TfData()).autotune.enabled


def options_of(mode: object) -> Any:
    """TensorFlow's options of the dataset that is made for a mode."""
    from runner.config.options import NoSink
    from runner.modes.workers.runtime import ThreadLimits
    from runner.pipeline.hot_path import PipelinePlan
    from runner.pipeline.sources import images_of

    names = ("sources.sample", "tasks.tensorflow", "sinks.none_")
    sample, task, sink = (f"runner.pipeline.{name}" for name in names)
    pipeline = PipelinePlan(images_of(Sample(), 3), sample, Sample(), task, Tensorflow(size=32), sink, NoSink())
    plan = ModePlan(mode, 2, ThreadLimits(1, 1), pipeline)
    return dataset_of(range(3), item_work(pipeline.build()), plan, Asked()).options()


@pytest.mark.parametrize("dies", [False, True])
def test_nothing_is_left_of_a_cache_in_a_file_however_its_trial_ends(
    tmp_path: Path, supervisor: Supervisor, dies: bool
) -> None:
    mode, consumer = TfData(cache=TfDataCache.file, batch=TfDataBatch.none), Noting(batch=2, dies_in=4, whole=True)
    subject = measured(tmp_path, supervisor, mode=mode, task=Tensorflow(size=32), consumer=consumer if dies else NoConsumer())
    (trial,) = subject.trials
    assert trial["status"] == ("failed" if dies else "ok")
    assert not list(subject.folder.glob(".records*"))


@pytest.mark.parametrize("cache", [TfDataCache.bytes, TfDataCache.decoded])
def test_a_note_says_that_later_epochs_only_take_results_out_of_a_cache(
    tmp_path: Path, supervisor: Supervisor, cache: TfDataCache
) -> None:
    subject = measured(tmp_path, supervisor, mode=TfData(cache=cache), task=Tensorflow(size=32))
    kinds = {warning.kind for warning in of_point(subject.facts())}
    assert ("results_from_a_cache" in kinds) == (cache is TfDataCache.decoded)


def test_other_modes_have_none_of_this() -> None:
    with pytest.raises(ConfigurationError, match=r"mode\.batch"):
        composed("mode=thread", "+mode.batch=after")
    assert composed("mode=thread").mode == Thread()
