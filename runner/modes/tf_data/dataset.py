"""The dataset: ``Dataset.map`` over the numbers of items, in which nothing runs in parallel that was not asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runner.config.options import Parallelism, TfData
from runner.modes import ModePlan
from runner.pipeline.batches import Batching


def dataset_of(
    items: Iterable[int], one: Callable[[Any], Any], plan: ModePlan, batching: Batching | None = None, *, stacked: bool = False
) -> Any:
    """A dataset of ``one(item)`` for each item, in the order in which they are done; for a consumer in the order that it asks for.

    Args:
        items: their numbers.
        one: what is done to each.
        plan: of the mode.
        batching: how a consumer takes the results; None without one.
        stacked: whether the dataset's elements are batches.

    No map is made parallel, no prefetch is put in, and the pool of threads is private.
    """
    import tensorflow as tf

    option: TfData = plan.mode
    auto = tf.data.AUTOTUNE
    parallel = auto if option.parallelism is Parallelism.autotune else plan.workers
    if isinstance(items, range):
        numbers = tf.data.Dataset.range(items.start, items.stop)
    else:
        numbers = tf.data.Dataset.from_tensor_slices(tf.constant(list(items), tf.int64))
    # What is mapped is graph code already: AutoGraph would only translate it, and leave a file in the system's temporary folder.
    as_it_is = tf.autograph.experimental.do_not_convert(one)
    dataset = numbers.map(
        as_it_is, num_parallel_calls=parallel, deterministic=batching is not None and batching.kept
    ).ignore_errors()
    if batching is not None and stacked:
        dataset = dataset.batch(batching.size)
    if option.prefetch:
        dataset = dataset.prefetch(auto if option.prefetch < 0 else option.prefetch)
    options = tf.data.Options()
    options.autotune.enabled = option.parallelism is Parallelism.autotune or option.prefetch < 0
    options.experimental_optimization.map_parallelization = False
    options.experimental_optimization.inject_prefetch = False
    options.threading.private_threadpool_size = plan.workers
    if plan.limits.intra_op:
        options.threading.max_intra_op_parallelism = plan.limits.intra_op
    return dataset.with_options(options)


def elements(iterator: Any) -> Iterator[list[Any]]:
    """The tensors of each element, as a flat list: to have Python put them back into their structure costs 60 µs an element."""
    import tensorflow as tf

    handle, types, shapes = iterator._iterator_resource, iterator._flat_output_types, iterator._flat_output_shapes  # noqa: SLF001
    try:
        while True:
            yield tf.raw_ops.IteratorGetNext(iterator=handle, output_types=types, output_shapes=shapes)
    except tf.errors.OutOfRangeError:
        return


def autotuned(iterator: Any) -> dict[str, Any]:
    """What autotuning has chosen by now, as TensorFlow's model of the pipeline has it."""
    import tensorflow as tf
    from tensorflow.core.framework import model_pb2

    model = model_pb2.ModelProto.FromString(tf.raw_ops.IteratorGetModelProto(iterator=iterator._iterator_resource).numpy())  # noqa: SLF001
    names = {"parallelism": "num_parallel_calls", "buffer_size": "prefetch"}
    parameters = (parameter for node in model.nodes.values() for parameter in node.parameters)
    return {names[parameter.name]: int(parameter.value) for parameter in parameters if parameter.name in names}
