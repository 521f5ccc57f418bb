"""``mode.interleave``: files that are read in turn, as a stage of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from runner.config.options import TfData
from runner.modes import ModePlan
from runner.modes.tf_data.calls import ItemWork
from runner.pipeline.sources import Image


class Maps(Protocol):
    """How the dataset's functions are mapped."""

    @property
    def parallel(self) -> Any: ...

    @property
    def deterministic(self) -> bool: ...


class Part(NamedTuple):
    """Some items that are in one file: ``number`` of them, from item ``first`` on, the first of which is the file's first record."""

    path: str
    first: int
    number: int


def interleaved(numbers: Any, items: Iterable[int], work: ItemWork, plan: ModePlan, maps: Maps) -> Any:
    """A dataset of what was read. TensorFlow reads TFRecord files by itself, record by record; any other file is one image."""
    import tensorflow as tf

    option: TfData = plan.mode
    pipeline = plan.pipeline
    as_it_is = tf.autograph.experimental.do_not_convert

    def image(item: Any) -> Any:
        return tf.data.Dataset.from_tensors(item).map(as_it_is(work.read)).ignore_errors()

    def records(path: Any, first: Any, count: Any) -> Any:
        inside = {pipeline.source.feature: tf.io.FixedLenFeature([], tf.string)}

        def bytes_of(item: Any, record: Any) -> Any:
            return work.record(item, tf.io.parse_single_example(record, inside)[pipeline.source.feature])

        read = tf.data.Dataset.zip((tf.data.Dataset.range(first, first + count), tf.data.TFRecordDataset(path)))
        read = read.filter(as_it_is(lambda item, _: tf.gather(wanted, item)))
        return read.map(as_it_is(bytes_of)).ignore_errors()

    of_one: Any = image
    source = numbers
    if all(image_.offset is not None for image_ in pipeline.images):
        asked = frozenset(items)
        wanted = tf.constant([item in asked for item in range(max(asked, default=-1) + 1)], tf.bool)
        paths, firsts, counts = zip(*parts(pipeline.images, len(wanted)), strict=True)
        of_one = records
        source = tf.data.Dataset.from_tensor_slices(
            (tf.constant(paths), tf.constant(firsts, tf.int64), tf.constant(counts, tf.int64))
        )
    return source.interleave(
        as_it_is(of_one),
        cycle_length=tf.data.AUTOTUNE if option.interleave < 0 else option.interleave,
        num_parallel_calls=min(maps.parallel, option.interleave) if option.interleave > 0 else maps.parallel,  # AUTOTUNE is -1
        deterministic=maps.deterministic,
    )


def parts(images: Sequence[Image], items: int) -> list[Part]:
    """The files of the first ``items`` items, where item ``i`` is image ``i % len(images)``, and images of a file follow upon each other."""
    found, first = [], 0
    while first < items:
        for path, group in groupby(images, key=lambda image: image.path):
            count = min(sum(1 for _ in group), items - first)
            if count:
                found.append(Part(path, first, count))
            first += count
    return found
