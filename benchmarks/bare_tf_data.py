"""The pipeline as one writes it by hand with tf.data: no stamps, no records, the results thrown away as they come."""

from __future__ import annotations

import os
from typing import Any

import tensorflow as tf

from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.stamps import Records


class BareTfData(Mode):
    """Read, decode, resize, standardize in one ``map``."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits)
        paths, size = [image.path for image in self._plan.pipeline.images], self._plan.pipeline.task.size

        def one(path: Any) -> Any:
            image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            return tf.image.per_image_standardization(tf.image.resize(image, [size, size]))

        options = tf.data.Options()
        options.autotune.enabled = False
        options.experimental_optimization.map_parallelization = False
        options.experimental_optimization.inject_prefetch = False
        options.threading.private_threadpool_size = self._plan.workers
        options.threading.max_intra_op_parallelism = self._plan.limits.intra_op
        source = tf.data.Dataset.from_tensor_slices(paths).repeat()
        self._dataset = source.map(one, num_parallel_calls=self._plan.workers, deterministic=False).with_options(options)
        return [Worker(os.getpid(), threads, 0.0)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records = Records()
        dataset = self._dataset.take(epoch.items)
        events.released()
        for item, _ in enumerate(dataset):
            records.values.extend((item, 0, 0, 0, 0, 0, 0, 1))
        events.finished()
        return records

    def stop(self) -> None:
        """Nothing to stop."""


PROVIDES = BareTfData
