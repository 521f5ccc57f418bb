"""The loaders of other libraries as their documentation writes them, as modes: no stamps, no records, results thrown away as they come."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.runtime import Threads, start_runtime
from runner.pipeline.stamps import Records


class Results:
    """A map-style dataset: the result of an item. A process that gets it pickled builds its stages when it is asked first."""

    def __init__(self, plan: ModePlan, items: int) -> None:
        self._plan, self._items = plan, items
        self._pipeline: Any = None

    def __getstate__(self) -> tuple[ModePlan, int]:
        return self._plan, self._items

    def __setstate__(self, state: tuple[ModePlan, int]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __len__(self) -> int:
        return self._items

    def start(self, _: int = 0) -> None:
        """Build the stages, in the process that uses them."""
        start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build()

    def __getitem__(self, item: int) -> Any:
        pipeline = self._pipeline
        image = pipeline.images[item % len(pipeline.images)]
        return pipeline.task.array(pipeline.task.run(pipeline.reader.read(image), image))


class Sequence(keras.utils.PyDataset):  # type: ignore[misc]
    """The same for Keras, which wants inputs in a tuple."""

    def __init__(self, results: Results, workers: int, queue: int) -> None:
        super().__init__(workers=workers, max_queue_size=queue)
        self._results = results

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: int) -> tuple[Any]:
        return (self._results[index],)


class BareLoader(Mode):
    """The loader that the option names; its processes are forked, and stay, where it has processes."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan, self._name = plan, plan.mode.name
        self.forks = self._name == "torch"
        self._results: Results
        self._loader: Any = None

    def start(self) -> list[Worker]:
        self._results = Results(self._plan, 0)
        if self._name != "torch":  # its workers are forked from a process that has not started TensorFlow
            self._results.start()
        return [Worker.this_process(Threads(None, None, None))]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records = Records()
        if epoch.verify:
            return records
        self._results._items = epoch.items  # noqa: SLF001
        if self._name == "torch" and self._loader is None:
            self._loader = self._torch()
        events.released()
        for item, _ in enumerate(self._iterated(epoch.items)):
            records.values.extend((item, 0, 0, 0, 0, 0, 0, 1))
        events.finished()
        return records

    def _iterated(self, items: int) -> Iterable[Any]:
        workers, option = self._plan.workers, self._plan.mode
        if self._name == "torch":
            return self._loader  # type: ignore[no-any-return]
        if self._name == "keras":
            adapter = PyDatasetAdapter(Sequence(self._results, workers, option.max_queue_size))
            return adapter.get_numpy_iterator()  # type: ignore[no-any-return]
        if self._name == "grain":
            import grain

            options = grain.ReadOptions(workers, option.prefetch_buffer_size)
            return grain.MapDataset.source(self._results).to_iter_dataset(options)  # type: ignore[no-any-return]
        return self._spdl(items)

    def _torch(self) -> Any:
        import torch

        return torch.utils.data.DataLoader(
            self._results,
            batch_size=None,
            num_workers=self._plan.workers,
            persistent_workers=True,
            worker_init_fn=self._results.start,
            multiprocessing_context="fork",  # what a program has on Linux, where a trial of this one has another
        )

    def _spdl(self, items: int) -> Iterable[Any]:
        from spdl.pipeline import PipelineBuilder

        stage = PipelineBuilder().add_source(range(items)).pipe(self._results.__getitem__, concurrency=self._plan.workers)
        pipeline = stage.add_sink(self._plan.mode.buffer_size).build(num_threads=self._plan.workers)
        with pipeline.auto_stop():
            yield from pipeline.get_iterator()

    def stop(self) -> None:
        self._loader = None


PROVIDES = BareLoader
