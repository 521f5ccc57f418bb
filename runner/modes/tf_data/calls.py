"""What ``Dataset.map`` does with an item: one graph from the file to the result, or calls from the graph to Python."""

from __future__ import annotations

import time
from collections.abc import Mapping
from time import perf_counter_ns
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from runner.errors import ImageRefused
from runner.pipeline.hot_path import MOST_ERRORS, Pipeline, describe
from runner.pipeline.sources.local import FileReader


class Handled(NamedTuple):
    """An item after source and task.

    Attributes:
        item: its number in the epoch.
        stamps: start, end of reading, end of the task, in nanoseconds on the clock of ``perf_counter_ns``.
        result: of the task.
        error: why there is no result.
    """

    item: int
    stamps: list[int]
    result: Any
    error: Exception | None = None


class ItemWork(Protocol):
    """Source and task of a pipeline, as a function for ``Dataset.map``.

    Attributes:
        errors: what went wrong and does not come out of the dataset, by item.
    """

    @property
    def errors(self) -> Mapping[int, str]: ...

    def one(self, item: Any) -> Any:
        """The function: from an item's number, a tensor, to an element of the dataset."""

    def handled(self, element: Any) -> Handled:
        """What an element of the dataset says."""


def item_work(pipeline: Pipeline) -> ItemWork:
    """One graph where the task has one, otherwise calls."""
    return GraphWork(pipeline) if hasattr(pipeline.task, "graph") else PythonWork(pipeline)


class GraphWork:
    """Source and task as one graph. Only a source that is no local file is a call to Python."""

    def __init__(self, pipeline: Pipeline) -> None:
        import tensorflow as tf

        self.errors: dict[int, str] = {}
        self._pipeline = pipeline
        self._task: Any = pipeline.task
        self._local = isinstance(pipeline.reader, FileReader)
        self._paths = tf.constant([image.path for image in pipeline.images])
        # tf.timestamp gives the time of day.
        self._offset_ns = perf_counter_ns() - time.time_ns()

    def one(self, item: Any) -> tuple[Any, Any]:
        """The graph. Item and three stamps in seconds are one tensor, because each tensor costs time to take over; then the result."""
        import tensorflow as tf

        index = item % len(self._paths)
        started = tf.timestamp()
        with tf.control_dependencies([started]):
            data = tf.io.read_file(tf.gather(self._paths, index)) if self._local else self._read_by_call(item)
        with tf.control_dependencies([data]):
            read = tf.timestamp()
        with tf.control_dependencies([read]):
            result = self._task.graph(data, index)
        with tf.control_dependencies([result]):
            ran = tf.timestamp()
        return tf.stack([tf.cast(item, tf.float64), started, read, ran]), result

    def handled(self, element: Any) -> Handled:
        packed, result = element
        item, *stamps = packed.numpy().tolist()
        offset = self._offset_ns
        return Handled(int(item), [int(stamp * 1e9) + offset for stamp in stamps], result)

    def _read_by_call(self, item: Any) -> Any:
        import tensorflow as tf

        data = tf.numpy_function(self._read, [item], tf.string, stateful=True)
        data.set_shape([])
        return data

    def _read(self, item: Any) -> bytes:
        images = self._pipeline.images
        try:
            return self._pipeline.reader.read(images[int(item) % len(images)])
        except Exception as error:
            if len(self.errors) < MOST_ERRORS:
                self.errors[int(item)] = describe(error)
            raise


class PythonWork:
    """Source and task called from the graph. Their result, or their error, is kept here until its element is taken."""

    errors: Mapping[int, str] = MappingProxyType({})

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._waiting: dict[int, Handled] = {}

    def one(self, item: Any) -> Any:
        """The graph: only the item comes out of it."""
        import tensorflow as tf

        return tf.numpy_function(self._call, [item], tf.int64, stateful=True)

    def handled(self, element: Any) -> Handled:
        return self._waiting.pop(int(element[0]))

    def _call(self, item: Any) -> Any:
        import numpy as np

        number, clock = int(item), perf_counter_ns
        image = self._pipeline.images[number % len(self._pipeline.images)]
        started, read, result, error = clock(), 0, None, None
        try:
            if image.refused is not None:
                raise ImageRefused(image.refused)  # noqa: TRY301
            data = self._pipeline.reader.read(image)
            read = clock()
            result = self._pipeline.task.run(data, image)
        except Exception as failure:  # whatever one image does, the epoch goes on
            error = failure
        ended = clock()
        self._waiting[number] = Handled(number, [started, read or ended, ended], result, error)
        return np.int64(number)
