"""The dataset: the stages that were asked for, over the numbers of items, and nothing that runs in parallel unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from runner.config.options import Parallelism, TfData, TfDataBatch, TfDataCache
from runner.modes import ModePlan
from runner.modes.tf_data.calls import GraphWork, ItemWork
from runner.modes.tf_data.files import interleaved


@dataclass(frozen=True)
class Asked:
    """What a pass asks of its dataset beyond the mode's option.

    Attributes:
        batch: results in a batch; None hands them out one by one.
        kept: whether results come in the order of the source.
        cache: whether there is one; what it keeps lives as long as the dataset.
        seed: by which images are mixed.
    """

    batch: int | None = None
    kept: bool = False
    cache: bool = False
    seed: int = 0


@dataclass(frozen=True)
class _Maps:
    """How the dataset's functions are mapped."""

    parallel: Any
    deterministic: bool

    def over(self, dataset: Any, function: Callable[..., Any]) -> Any:
        """The dataset with ``function`` mapped over it; elements for which it fails are left out."""
        import tensorflow as tf

        # What is mapped is graph code already: AutoGraph would only translate it, and leave a file in the system's temporary folder.
        as_it_is = tf.autograph.experimental.do_not_convert(function)
        return dataset.map(as_it_is, num_parallel_calls=self.parallel, deterministic=self.deterministic).ignore_errors()


def dataset_of(items: Iterable[int], work: ItemWork, plan: ModePlan, asked: Asked) -> Any:
    """A dataset of what ``work`` makes of each item, in the order in which they are done or in that of the source.

    The order of stages is that of TensorFlow's guide: read, cache of bytes, task, cache of results, batch, prefetch. Images are mixed where that
    costs least and is new in each pass: behind a cache, otherwise before anything is read. The pool of threads is private.
    """
    import tensorflow as tf

    option: TfData = plan.mode
    auto = tf.data.AUTOTUNE
    maps = _Maps(auto if option.parallelism is Parallelism.autotune else plan.workers, asked.kept or option.deterministic)
    cache = option.cache if asked.cache else TfDataCache.none
    before = option.batch is TfDataBatch.before
    shuffled = partial(_shuffled, option=option, seed=asked.seed)
    dataset = _numbers(items)
    if cache is TfDataCache.none or (before and cache is not TfDataCache.bytes):
        dataset = shuffled(dataset)
    if option.reads_apart:
        dataset = interleaved(dataset, items, work, plan, maps) if option.interleave else maps.over(dataset, work.read)
        if cache is TfDataCache.bytes:
            dataset = shuffled(dataset.cache())
    dataset = maps.over(dataset, _function(work, option))
    if cache in {TfDataCache.decoded, TfDataCache.file} and not before:
        dataset = shuffled(_cached(dataset, cache, plan))
    if asked.batch is not None:
        dataset = dataset.batch(asked.batch)
    if before:
        dataset = maps.over(dataset, _graph(work).rest)
        if cache in {TfDataCache.decoded, TfDataCache.file}:
            dataset = _cached(dataset, cache, plan)
    if option.prefetch:
        dataset = dataset.prefetch(auto if option.prefetch < 0 else option.prefetch)
    return dataset.with_options(_options(plan))


def _numbers(items: Iterable[int]) -> Any:
    import tensorflow as tf

    if isinstance(items, range):
        return tf.data.Dataset.range(items.start, items.stop)
    return tf.data.Dataset.from_tensor_slices(tf.constant(list(items), tf.int64))


def _function(work: ItemWork, option: TfData) -> Callable[..., Any]:
    """What is mapped over single images."""
    if option.batch is TfDataBatch.before:
        return _graph(work).decode
    return work.task if option.reads_apart else work.one


def _graph(work: ItemWork) -> GraphWork:
    """The work of a task whose steps are apart: the option has refused any other."""
    return cast("GraphWork", work)


def _shuffled(dataset: Any, *, option: TfData, seed: int) -> Any:
    return dataset.shuffle(option.shuffle, seed=seed) if option.shuffle else dataset


def _cached(dataset: Any, cache: TfDataCache, plan: ModePlan) -> Any:
    return dataset.cache(f"{plan.spool}.cache") if cache is TfDataCache.file else dataset.cache()


def _options(plan: ModePlan) -> Any:
    import tensorflow as tf

    option: TfData = plan.mode
    options = tf.data.Options()
    options.autotune.enabled = option.tunes
    if option.autotune_cpus is not None:
        options.autotune.cpu_budget = option.autotune_cpus
    if option.autotune_ram_mb is not None:
        options.autotune.ram_budget = option.autotune_ram_mb * 1_000_000
    if not option.optimize:
        options.experimental_optimization.map_parallelization = False
        options.experimental_optimization.inject_prefetch = False
    options.threading.private_threadpool_size = plan.workers
    if plan.limits.intra_op:
        options.threading.max_intra_op_parallelism = plan.limits.intra_op
    return options


def elements(iterator: Any) -> Iterator[list[Any]]:
    """The tensors of each element, as a flat list: to have Python put them back into their structure costs 60 µs an element."""
    import tensorflow as tf

    handle, types, shapes = iterator._iterator_resource, iterator._flat_output_types, iterator._flat_output_shapes  # noqa: SLF001
    try:
        while True:
            yield tf.raw_ops.IteratorGetNext(iterator=handle, output_types=types, output_shapes=shapes)
    except tf.errors.OutOfRangeError:
        return
