"""The modes that are TensorFlow's own input pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from runner.config.fields import name, option
from runner.config.options.base import Choices, PlacedPicture
from runner.config.options.consumers import BatchesOption, Order
from runner.config.options.modes import ModeOption
from runner.config.options.tasks import TaskOption
from runner.errors import ConfigurationError


class Parallelism(Enum):
    """How many calls ``Dataset.map`` makes at the same time."""

    workers = "workers"  # as many as there are workers
    autotune = "autotune"  # as TensorFlow chooses, in a pool of as many threads as there are workers


class TfDataBatch(Enum):
    """Where the dataset puts images together."""

    none = "none"  # nowhere, unless a consumer takes batches
    before = "before"  # after decoding, and the rest of the task is mapped over whole batches
    after = "after"  # after the task


class TfDataCache(Enum):
    """What the dataset keeps from one pass to the next."""

    none = "none"
    bytes = "bytes"  # what was read, in memory
    decoded = "decoded"  # the results, in memory
    file = "file"  # the results, in a file beside the record


# How many results are in a batch where nobody says so.
_BATCH_SIZE = 32


@dataclass
class TfData(ModeOption):
    name: str = name("tf_data")
    parallelism: Parallelism = option(Parallelism.workers, "how many images at the same time")
    prefetch: int = option(0, "how many results, or batches, are prepared ahead; -1 is TensorFlow's choice", at_least=-1)
    deterministic: bool = option(
        False, "whether results come in the order of the source; a consumer that keeps the order has it anyway", later=True
    )
    batch: TfDataBatch = option(TfDataBatch.none, "where images are put together", later=True)
    batch_size: int | None = option(
        None, f"results in a batch where there is no consumer; null is {_BATCH_SIZE}", at_least=1, at_most=65536, later=True
    )
    cache: TfDataCache = option(TfDataCache.none, "what is kept from one pass to the next", later=True)
    shuffle: int = option(
        0, "from how many images the next is drawn, by the configuration's seed; 0 does not shuffle", at_least=0, later=True
    )
    interleave: int = option(
        0,
        "how many files are read in turn, as a stage of its own; 0 reads in the map, -1 is TensorFlow's choice",
        at_least=-1,
        later=True,
    )
    autotune: bool | None = option(
        None, "whether TensorFlow times the stages and tunes what is left to it; null is where anything is", later=True
    )
    autotune_cpus: int | None = option(
        None, "the most parallel calls that tuning hands out; null is TensorFlow's choice, the CPUs", at_least=1, later=True
    )
    autotune_ram_mb: int | None = option(
        None,
        "10^6 bytes that tuning gives to buffers; null is TensorFlow's choice, half of what is free",
        at_least=1,
        later=True,
    )
    optimize: bool = option(
        False, "whether TensorFlow rewrites the dataset as it does by default: parallel maps, a prefetch at the end", later=True
    )

    @property
    def uses_tensorflow(self) -> bool:
        return True

    @property
    def can_skip(self) -> bool:
        return False  # its stages are one graph

    @property
    def leaves_choices(self) -> bool:
        """Whether TensorFlow has anything to choose."""
        return self.parallelism is Parallelism.autotune or self.prefetch < 0 or self.interleave < 0

    @property
    def tunes(self) -> bool:
        """Whether TensorFlow times the stages, and tunes what is left to it."""
        return self.leaves_choices if self.autotune is None else self.autotune

    @property
    def reads_apart(self) -> bool:
        """Whether reading is a stage of its own."""
        return self.interleave != 0 or self.cache is TfDataCache.bytes or self.batch is TfDataBatch.before

    def size_of_batch(self, consumers: int | None) -> int | None:
        """Results in a batch of the dataset, where those of the consumer have so many; None where there are no batches."""
        return consumers or (None if self.batch is TfDataBatch.none else self.batch_size or _BATCH_SIZE)

    def check(self, choices: Choices) -> None:
        super().check(choices)
        self._check_tuning()
        self._check_batch(choices)
        task = choices.task
        if self.cache is TfDataCache.file and isinstance(task, TaskOption) and not task.is_graph:
            reason = f"holds tensors, and mode=tf_data calls task={task.name} image by image"
            raise ConfigurationError("mode.cache", "file", reason, "decoded, which keeps them in memory; or task=tensorflow")
        if self.shuffle:
            self._refuse_order("mode.shuffle", self.shuffle, choices, "mixes the images")

    def check_images(self, choices: Choices, images: Sequence[PlacedPicture]) -> None:
        several = len({image.path for image in images}) > 1
        if self.interleave > 1 and not several:
            raise ConfigurationError(
                "mode.interleave", self.interleave, "reads several files in turn, and all images are in one", "0, 1 or -1"
            )
        if self.interleave and several and any(image.offset is not None for image in images):
            self._refuse_order("mode.interleave", self.interleave, choices, "takes an image of each file in turn")
        sizes = sorted({(image.width, image.height) for image in images if image.refused is None})
        if self.batch is TfDataBatch.before and len(sizes) > 1:
            shown = " and ".join(f"{width} x {height}" for width, height in sizes[:2])
            reason = f"puts decoded images together, which must be alike, and there are some of {shown} pixels"
            raise ConfigurationError("mode.batch", "before", reason, "after; or images of one size")

    def _check_tuning(self) -> None:
        if self.autotune is False and self.leaves_choices:
            reason = "leaves nobody to choose what mode.parallelism=autotune, mode.prefetch=-1 or mode.interleave=-1 leave to TensorFlow"
            raise ConfigurationError("mode.autotune", "false", reason, "null or true; or numbers for these")
        for key, value in (("autotune_cpus", self.autotune_cpus), ("autotune_ram_mb", self.autotune_ram_mb)):
            if value is not None and not self.leaves_choices:
                reason = "is a limit for what TensorFlow chooses, and nothing is left to it"
                raise ConfigurationError(
                    f"mode.{key}", value, reason, "null; or mode.parallelism=autotune or mode.prefetch=-1 with it"
                )

    def _check_batch(self, choices: Choices) -> None:
        if self.batch_size is not None and isinstance(choices.consumer, BatchesOption):
            reason = f"is not the batch of the consumer, which has consumer.batch={choices.consumer.batch}"
            raise ConfigurationError("mode.batch_size", self.batch_size, reason, "null")
        if self.batch_size is not None and self.batch is TfDataBatch.none:
            raise ConfigurationError(
                "mode.batch_size", self.batch_size, "has no effect without batches", "null; or mode.batch=after with it"
            )
        task = choices.task
        if self.batch is TfDataBatch.before and isinstance(task, TaskOption) and task.why_not_batches is not None:
            reason = f"maps the task over batches, and task={task.name} {task.why_not_batches}"
            raise ConfigurationError("mode.batch", "before", reason, "after; or task=tensorflow with resize or standardize")

    @staticmethod
    def _refuse_order(key: str, value: int, choices: Choices, what: str) -> None:
        consumer = choices.consumer
        if isinstance(consumer, BatchesOption) and consumer.order is Order.kept:
            raise ConfigurationError(
                key, value, f"{what}, and the consumer is to get them in their order", "0; or consumer.order=arrival"
            )


@dataclass
class TfDataDefault(TfData):
    code: ClassVar[str | None] = "runner.modes.tf_data"

    name: str = name("tf_data_default")
    parallelism: Parallelism = option(Parallelism.autotune, "how many images at the same time")
    prefetch: int = option(-1, "how many results, or batches, are prepared ahead; -1 is TensorFlow's choice", at_least=-1)
    deterministic: bool = option(
        True, "whether results come in the order of the source; a consumer that keeps the order has it anyway"
    )
    batch: TfDataBatch = option(TfDataBatch.after, "where images are put together")
    cache: TfDataCache = option(TfDataCache.bytes, "what is kept from one pass to the next")
    interleave: int = option(
        -1, "how many files are read in turn, as a stage of its own; 0 reads in the map, -1 is TensorFlow's choice", at_least=-1
    )
    optimize: bool = option(
        True, "whether TensorFlow rewrites the dataset as it does by default: parallel maps, a prefetch at the end"
    )
