"""``mode=tf_data``: TensorFlow's own input pipeline, ``Dataset.map`` with ``workers`` parallel calls in a thread pool of that size.

Where the source is local files and the task is TensorFlow's, everything up to the sink is one graph, as one would write it by hand,
with time stamps in it. Any other source is called from the graph, image by image, and needs Python's interpreter lock for that; so is
any other task.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter, perf_counter_ns
from types import MappingProxyType
from typing import Any

from runner.config.options import Parallelism, TfData
from runner.errors import ImageRefused
from runner.host.affinity import allowed_cpus
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.lanes import Lanes
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.threads import PROGRESS_INTERVAL_S
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import MOST_ERRORS, Pipeline, describe
from runner.pipeline.sources.reading import FileReader
from runner.pipeline.stamps import Records


class TfDataMode:
    """One process; TensorFlow's threads handle the images, this one takes the results to the sink.

    Nothing that is not asked for runs in parallel: no map is made parallel, no prefetch put in, and the pool of threads is private.
    """

    forks = False
    imports_here = True

    def __init__(self, plan: ModePlan) -> None:
        option: TfData = plan.mode
        self._plan = plan
        self._option = option
        self._pipeline: Pipeline
        self._chosen: dict[str, Any] = {}

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=True)
        self._pipeline = self._plan.pipeline.build()
        self._in_graph = hasattr(self._pipeline.task, "graph")
        # As a program of one's own makes its pipeline: once, before it can be used. Each pass here makes it anew, untimed.
        self._dataset(range(1), self._work())
        return [Worker(pid=os.getpid(), threads=threads, import_s=0.0, cpus=allowed_cpus())]

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        images = self._pipeline.images
        refused = {index for index, image in enumerate(images) if image.refused is not None}
        items = range(epoch.items)
        good = [item for item in items if item % len(images) not in refused] if refused else items
        work, failed = self._work(), []
        dataset = self._dataset(good, work)
        watch.released()
        if epoch.verify and not self._in_graph:
            self._pipeline.verify(items, records)
        else:
            if not epoch.verify:
                self._pipeline.begin(epoch.number)
            handled = self._verified if epoch.verify else self._handled
            seen = unloading(handled(dataset, work, records, watch), records, collector.add)
            failed = list(_missing(items, seen))
            if not epoch.verify:
                records.receipt = self._pipeline.end()
        ended = perf_counter_ns()
        watch.finished()
        self._account_for(failed, work.errors, records, ended, verify=epoch.verify)  # which may take as long as the pass itself
        return collector.done([records])

    def _work(self) -> _Graph | _Calls:
        return _Graph(self._pipeline) if self._in_graph else _Calls(self._pipeline)

    def _dataset(self, items: Iterable[int], work: _Graph | _Calls) -> Any:
        import tensorflow as tf

        option, auto = self._option, tf.data.AUTOTUNE
        parallel = auto if option.parallelism is Parallelism.autotune else self._plan.workers
        if isinstance(items, range):
            numbers = tf.data.Dataset.range(items.start, items.stop)
        else:
            numbers = tf.data.Dataset.from_tensor_slices(tf.constant(list(items), tf.int64))
        # What is mapped is graph code already: AutoGraph would only translate it, and leave a file in the system's temporary folder.
        one = tf.autograph.experimental.do_not_convert(work.one)
        dataset = numbers.map(one, num_parallel_calls=parallel, deterministic=False).ignore_errors()
        if option.prefetch:
            dataset = dataset.prefetch(auto if option.prefetch < 0 else option.prefetch)
        options = tf.data.Options()
        options.autotune.enabled = option.parallelism is Parallelism.autotune or option.prefetch < 0
        options.experimental_optimization.map_parallelization = False
        options.experimental_optimization.inject_prefetch = False
        options.threading.private_threadpool_size = self._plan.workers
        if self._plan.limits.intra_op:
            options.threading.max_intra_op_parallelism = self._plan.limits.intra_op
        return dataset.with_options(options)

    def _handled(self, dataset: Any, work: _Graph | _Calls, records: Records, watch: Watch) -> Iterator[int]:
        """The items of a timed epoch as they come out; their records are made here.

        An image that is done and waits to be taken is in its sink stage, while its worker is at the next.
        """
        put, clock = self._pipeline.sink.put, perf_counter_ns
        lanes, told = Lanes(self._plan.workers), perf_counter()
        iterator = iter(dataset)
        for done, element in enumerate(_elements(iterator), 1):
            item, stamps, result, error = work.taken(element)
            sink_start = clock()
            if error is None:
                try:
                    put(result, item)
                except Exception as failure:
                    error = failure
            end = clock()
            started, read, ran = (min(stamp, sink_start) for stamp in stamps)
            records.values.extend((item, lanes.of(started, ran), 0, started, read, ran, end, int(error is None)))
            if error is not None and len(records.errors) < MOST_ERRORS:
                records.errors[item] = describe(error)
            if (now := perf_counter()) - told > PROGRESS_INTERVAL_S:
                watch.progress(done)
                told = now
            yield item
        self._chosen = _parallelism(iterator) if self._option.parallelism is Parallelism.autotune else {}

    def _verified(self, dataset: Any, work: _Graph | _Calls, records: Records, watch: Watch) -> Iterator[int]:  # noqa: ARG002
        for element in _elements(iter(dataset)):
            item, _, result, _ = work.taken(element)
            records.digests[item] = self._pipeline.task.digest(result)
            yield item

    def _account_for(
        self, failed: Iterable[int], errors: Mapping[int, str], records: Records, at_ns: int, *, verify: bool
    ) -> None:
        """A graph drops what fails in it without a word; where no error was kept, do it once more outside of it to hear the reason."""
        for item in failed:
            reason = Records()
            if verify or (item not in errors and len(records.errors) < MOST_ERRORS):
                self._pipeline.verify([item], reason)
            if len(records.errors) < MOST_ERRORS:
                again = reason.errors.get(item, "failed within tf.data, but not when it was tried again")
                records.errors[item] = errors.get(item, again)
            if verify:
                records.digests[item] = reason.digests[item]
            else:
                records.values.extend((item, 0, 0, at_ns, at_ns, at_ns, at_ns, 0))

    def facts(self) -> dict[str, Any]:
        """What the record is to say of this backend."""
        asked = {"num_parallel_calls": self._plan.workers, "prefetch": self._option.prefetch}
        return {"private_threadpool_size": self._plan.workers, "in_graph": self._in_graph, **asked, **self._chosen}

    def books(self) -> dict[int, Books]:
        return {}

    def stop(self) -> None:
        self._pipeline.close()


def _elements(iterator: Any) -> Iterator[list[Any]]:
    """The tensors of each element, as a flat list: to have Python put them back into their structure costs 60 µs for each element."""
    import tensorflow as tf

    handle, types, shapes = iterator._iterator_resource, iterator._flat_output_types, iterator._flat_output_shapes  # noqa: SLF001
    try:
        while True:
            yield tf.raw_ops.IteratorGetNext(iterator=handle, output_types=types, output_shapes=shapes)
    except tf.errors.OutOfRangeError:
        return


def _missing(items: range, seen: Iterable[int]) -> Iterator[int]:
    """Those of ``items`` that are not in ``seen``, which is gone through first."""
    there = bytearray(len(items))
    for item in seen:
        there[item] = 1
    return (item for item in items if not there[item])


class _Graph:
    """Read and task as one graph; what is no local file is read by a call from it.

    Attributes:
        errors: what went wrong in such calls, by item.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        import tensorflow as tf

        self.errors: dict[int, str] = {}
        self._pipeline = pipeline
        self._task: Any = pipeline.task
        self._local = isinstance(pipeline.reader, FileReader)
        self._paths = tf.constant([image.path for image in pipeline.images])
        # tf.timestamp tells the time of day.
        self._offset_ns = perf_counter_ns() - time.time_ns()

    def one(self, item: Any) -> tuple[Any, Any]:
        """The graph: item and three stamps in seconds, in one tensor because each costs to take over, and the result."""
        import tensorflow as tf

        index = item % len(self._paths)
        started = tf.timestamp()
        with tf.control_dependencies([started]):
            data = tf.io.read_file(tf.gather(self._paths, index)) if self._local else self._called(item)
        with tf.control_dependencies([data]):
            read = tf.timestamp()
        with tf.control_dependencies([read]):
            result = self._task.graph(data, index)
        with tf.control_dependencies([result]):
            ran = tf.timestamp()
        return tf.stack([tf.cast(item, tf.float64), started, read, ran]), result

    def _called(self, item: Any) -> Any:
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

    def taken(self, element: Any) -> tuple[int, list[int], Any, Exception | None]:
        """Item, stamps on the shared clock in nanoseconds, result, and what went wrong."""
        packed, result = element
        item, *stamps = packed.numpy().tolist()
        offset = self._offset_ns
        return int(item), [int(stamp * 1e9) + offset for stamp in stamps], result, None


class _Calls:
    """Read and task called from the graph; what they give, an error too, waits here until it is taken."""

    errors: Mapping[int, str] = MappingProxyType({})

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._done: dict[int, tuple[list[int], Any, Exception | None]] = {}

    def one(self, item: Any) -> Any:
        """The graph: only the item comes out of it."""
        import tensorflow as tf

        return tf.numpy_function(self._call, [item], tf.int64, stateful=True)

    def taken(self, element: Any) -> tuple[int, list[int], Any, Exception | None]:
        """As of the graph."""
        item = int(element[0])
        return item, *self._done.pop(item)

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
        self._done[number] = ([started, read or ended, ended], result, error)
        return np.int64(number)


def _parallelism(iterator: Any) -> dict[str, Any]:
    """What autotuning had chosen when the epoch ended, as TensorFlow's model of the pipeline has it."""
    import tensorflow as tf
    from tensorflow.core.framework import model_pb2

    model = model_pb2.ModelProto.FromString(tf.raw_ops.IteratorGetModelProto(iterator=iterator._iterator_resource).numpy())  # noqa: SLF001
    chosen = {}
    for node in model.nodes.values():
        for parameter in node.parameters:
            if parameter.name == "parallelism":
                chosen["num_parallel_calls"] = int(parameter.value)
            elif parameter.name == "buffer_size":
                chosen["prefetch"] = int(parameter.value)
    return chosen


PROVIDES = TfDataMode
