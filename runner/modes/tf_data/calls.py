"""What ``Dataset.map`` does with an item: graphs from the file to the result, or calls from the graph to Python."""

from __future__ import annotations

import time
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Any, NamedTuple, Protocol

from runner.errors import ImageRefused
from runner.pipeline.hot_path import MOST_ERRORS, Pipeline, describe
from runner.pipeline.sources.local import FileReader


class Handled(NamedTuple):
    """An item after source and task.

    Attributes:
        item: its number in the epoch.
        stamps: start, end of reading, end of the task, in nanoseconds on the clock of ``perf_counter_ns``. Where stages are apart, what
            an image waits between them is left out: the end of the task is when it was, and the other two are brought near to it.
        result: of the task.
        error: why there is no result.
        rest_ns: how much of the task was mapped over the batch, this item's share of it.
    """

    item: int
    stamps: Sequence[int]
    result: Any
    error: Exception | None = None
    rest_ns: int = 0


class ItemWork(Protocol):
    """Source and task of a pipeline, as functions for ``Dataset.map``; each has a stage's inputs for its arguments.

    Attributes:
        in_graph: whether results come out of the dataset; otherwise only the numbers of their items do.
        errors: what went wrong and does not come out of the dataset, by item.
    """

    in_graph: bool
    errors: dict[int, str]

    def begin(self) -> None:
        """A pass begins. What is older was kept in a cache, and took no time in this pass."""

    def one(self, item: Any) -> Any:
        """Source and task in one: from an item's number, a tensor, to an element of the dataset."""

    def read(self, item: Any) -> Any:
        """The source alone: from an item's number to what ``task`` takes."""

    def record(self, item: Any, data: Any) -> Any:
        """In the place of ``read``, where TensorFlow has read the bytes of the item by itself."""

    def task(self, read: Any, data: Any) -> Any:
        """The task alone, from what was read to an element of the dataset."""

    def handled(self, element: Sequence[Any]) -> Handled:
        """What an element of the dataset says."""

    def together(self, element: Sequence[Any]) -> tuple[list[Handled], Any]:
        """What a batch says, item by item; then its results in one array, None where they did not come out of the dataset."""


def item_work(pipeline: Pipeline, *, keeps: bool = False) -> ItemWork:
    """One graph where the task has one, otherwise calls; ``keeps`` says that the dataset has a cache."""
    return GraphWork(pipeline) if hasattr(pipeline.task, "graph") else PythonWork(pipeline, keeps=keeps)


class GraphWork:
    """Source and task as graphs. Only a source that is no local file is a call to Python.

    An element is a tensor and the result. The tensor has the item and its stamps in seconds, one after the other, because each tensor costs
    time to take over: the start and the end of reading, and those of each stage of the task that is apart from it.
    """

    in_graph = True

    def __init__(self, pipeline: Pipeline) -> None:
        import tensorflow as tf

        self.errors: dict[int, str] = {}
        self._pipeline = pipeline
        self._task: Any = pipeline.task
        self._local = isinstance(pipeline.reader, FileReader)
        self._paths = tf.constant([image.path for image in pipeline.images])
        self._offset_ns = self._since_ns = 0
        self.begin()

    def begin(self) -> None:
        self.errors.clear()
        # tf.timestamp gives the time of day.
        self._since_ns = perf_counter_ns()
        self._offset_ns = self._since_ns - time.time_ns()

    def one(self, item: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        data, (started, read) = self._bytes(item)
        result, (_, ran) = _timed(lambda: self._task.graph(data, self._index(item)), data, read)
        return tf.stack([tf.cast(item, tf.float64), started, read, ran]), result

    def read(self, item: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        data, stamps = self._bytes(item)
        return tf.stack([tf.cast(item, tf.float64), *stamps]), data

    def record(self, item: Any, data: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        now = tf.timestamp()
        return tf.stack([tf.cast(item, tf.float64), now, now]), data

    def task(self, read: Any, data: Any) -> tuple[Any, Any]:
        return self._after(read, data, self._task.graph)

    def decode(self, read: Any, data: Any) -> tuple[Any, Any]:
        """The first step of the task, whose results are put into batches."""
        return self._after(read, data, self._task.decode_graph)

    def rest(self, decoded: Any, pictures: Any) -> tuple[Any, Any]:
        """The other steps of the task, for a batch."""
        import tensorflow as tf

        results, stamps = _timed(lambda: self._task.rest_graph(pictures), pictures)
        columns = tf.repeat(tf.stack(stamps)[tf.newaxis], tf.shape(decoded)[0], 0)
        return tf.concat([decoded, columns], 1), results

    def handled(self, element: Sequence[Any]) -> Handled:
        packed, result = element
        return self._unpacked(packed.numpy().tolist(), result)

    def together(self, element: Sequence[Any]) -> tuple[list[Handled], Any]:
        rows, results = element[0].numpy().tolist(), element[1].numpy()
        return [self._unpacked(row, results[place], (place, len(rows))) for place, row in enumerate(rows)], results

    def _unpacked(self, row: list[float], result: Any, place: tuple[int, int] = (0, 1)) -> Handled:
        offset = self._offset_ns
        item, *stamps = (int(row[0]), *(int(stamp * 1e9) + offset for stamp in row[1:]))
        if len(stamps) == 3:  # stages that follow upon each other
            started, read, ran = stamps
            if ran >= self._since_ns:
                return Handled(item, stamps, result)
            return Handled(item, [perf_counter_ns()] * 3, result)
        started, read, *computed = stamps
        ended, rest_ns = computed[-1], 0
        if len(computed) == 4:  # its share of what was done for the whole batch
            whole_ns, (number, of) = self._took_ns(*computed[2:]), place
            rest_ns, ended = whole_ns // of, computed[2] + whole_ns * (number + 1) // of
        if computed[-1] < self._since_ns:
            ended = perf_counter_ns()
        task_start = ended - rest_ns - self._took_ns(*computed[:2])
        return Handled(item, [task_start - self._took_ns(started, read), task_start, ended], result, None, rest_ns)

    def _took_ns(self, start: int, end: int) -> int:
        """How long something took in this pass: nothing, if it was done in an earlier one."""
        return max(0, end - start) if start >= self._since_ns else 0

    def _after(self, packed: Any, data: Any, step: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        item = tf.cast(packed[0], tf.int64)
        result, stamps = _timed(lambda: step(data, self._index(item)), data)
        return tf.concat([packed, stamps], 0), result

    def _index(self, item: Any) -> Any:
        return item % len(self._paths)

    def _bytes(self, item: Any) -> tuple[Any, tuple[Any, Any]]:
        """The bytes of the item, and the times at which its reading began and ended."""
        import tensorflow as tf

        index = self._index(item)
        return _timed(lambda: tf.io.read_file(tf.gather(self._paths, index)) if self._local else self._read_by_call(item), item)

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


def _timed(step: Any, after: Any, started: Any = None) -> tuple[Any, tuple[Any, Any]]:
    """What ``step`` makes once ``after`` is there, and the times in seconds at its start, unless that is known, and at its end."""
    import tensorflow as tf

    if started is None:
        with tf.control_dependencies([after]):
            started = tf.timestamp()
    with tf.control_dependencies([started]):
        made = step()
    with tf.control_dependencies([made]):
        return made, (started, tf.timestamp())


class PythonWork:
    """Source and task called from the graph. Their result, or their error, is kept here until its element is taken.

    Args:
        pipeline: the stages.
        keeps: whether what is kept here has to be there in later passes, because the dataset keeps the number of its item.
    """

    in_graph = False

    def __init__(self, pipeline: Pipeline, *, keeps: bool = False) -> None:
        self.errors: dict[int, str] = {}
        self._pipeline, self._keeps = pipeline, keeps
        # By item: when its reading began and ended, and why it has no bytes; what became of it.
        self._reads: dict[int, tuple[int, int, Exception | None]] = {}
        self._waiting: dict[int, Handled] = {}
        self._since_ns = 0

    def begin(self) -> None:
        self._since_ns = perf_counter_ns()

    def one(self, item: Any) -> Any:
        import tensorflow as tf

        return tf.numpy_function(self._both, [item], tf.int64, stateful=True)

    def read(self, item: Any) -> tuple[Any, Any]:
        import tensorflow as tf

        data = tf.numpy_function(self._read, [item], tf.string, stateful=True)
        return item, data

    def record(self, item: Any, data: Any) -> tuple[Any, Any]:
        return item, data

    def task(self, item: Any, data: Any) -> Any:
        import tensorflow as tf

        return tf.numpy_function(self._task, [item, data], tf.int64, stateful=True)

    def handled(self, element: Sequence[Any]) -> Handled:
        return self._of(int(element[0]))

    def together(self, element: Sequence[Any]) -> tuple[list[Handled], Any]:
        return [self._of(item) for item in element[0].numpy().tolist()], None

    def _of(self, item: int) -> Handled:
        if not self._keeps:
            return self._waiting.pop(item)
        kept = self._waiting[item]
        return kept if kept.stamps[-1] >= self._since_ns else kept._replace(stamps=[perf_counter_ns()] * 3)

    def _both(self, item: Any) -> Any:
        return self._task(item, self._read(item))

    def _read(self, item: Any) -> bytes:
        number, started = int(item), perf_counter_ns()
        image, data, error = self._pipeline.images[number % len(self._pipeline.images)], b"", None
        try:
            if image.refused is not None:
                raise ImageRefused(image.refused)  # noqa: TRY301
            data = self._pipeline.reader.read(image)
        except Exception as failure:  # whatever one image does, the epoch goes on
            error = failure
        self._reads[number] = started, perf_counter_ns(), error
        return data

    def _task(self, item: Any, data: bytes) -> Any:
        import numpy as np

        number, began = int(item), perf_counter_ns()
        image = self._pipeline.images[number % len(self._pipeline.images)]
        nothing = began, began, None
        started, read, error = self._reads.get(number, nothing) if self._keeps else self._reads.pop(number, nothing)
        result = None
        if error is None:
            try:
                result = self._pipeline.task.run(data, image)
            except Exception as failure:  # whatever one image does, the epoch goes on
                error = failure
        read_ns = read - started if started >= self._since_ns else 0
        self._waiting[number] = Handled(number, [began - read_ns, began, perf_counter_ns()], result, error)
        return np.int64(number)
