"""Source → task → sink for one image, with a time stamp between the stages: the only code on the hot path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from runner.errors import ImageRefused
from runner.records import Records
from runner.secrets import masked
from runner.sinks import Sink
from runner.sources.image import Image
from runner.sources.reading import Reader
from runner.tasks import Task


@dataclass(frozen=True)
class PipelinePlan:
    """All that a worker needs to build its pipeline; small, and picklable for workers that are spawned.

    Attributes:
        images: the different images; item ``i`` is image ``i % len(images)``.
        source_module, task_module, sink_module: the modules that provide them.
        source, task, sink: their options.
    """

    images: Sequence[Image]
    source_module: str
    source: Any
    task_module: str
    task: Any
    sink_module: str
    sink: Any

    def build(self) -> Pipeline:
        """Import the stages and build them, in the process that will use them."""
        reader = import_module(self.source_module).PROVIDES(self.source).reader()
        task = import_module(self.task_module).PROVIDES(self.task, self.images)
        sink = import_module(self.sink_module).PROVIDES(self.sink, task.array)
        return Pipeline(self.images, reader, task, sink)

    def import_stages(self) -> None:
        """Import what the stages need; it takes seconds where it is not there yet, and is a number of its own."""
        for module in (self.source_module, self.task_module, self.sink_module):
            import_module(module)
        # Some sources know only by their option which packages they take.
        getattr(import_module(self.source_module).PROVIDES(self.source), "import_drivers", lambda: None)()


class Pipeline:
    """What the workers of one process share; safe to use from many threads, each with records of its own."""

    def __init__(self, images: Sequence[Image], reader: Reader, task: Task, sink: Sink) -> None:
        self._images = images
        self._reader = reader
        self._task = task
        self._sink = sink

    def handle(self, items: Iterable[int], worker: int, thread: int, records: Records) -> None:
        """Take each of ``items`` through the stages, and append what happened to ``records``."""
        images, count = self._images, len(self._images)
        read, run, put = self._reader.read, self._task.run, self._sink.put
        clock, append = perf_counter_ns, records.values.extend
        for item in items:
            image = images[item % count]
            task_start = sink_start = 0
            read_start = clock()
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301  (a refused image is a failed one, like any other)
                data = read(image)
                task_start = clock()
                result = run(data, image)
                sink_start = clock()
                put(result, item)
                append((item, worker, thread, read_start, task_start, sink_start, clock(), 1))
            except Exception as error:  # whatever one image does, the epoch goes on
                end = clock()
                append((item, worker, thread, read_start, task_start or end, sink_start or end, end, 0))
                records.errors[item] = describe(error)

    def verify(self, items: Iterable[int], records: Records) -> None:
        """Run the task on each of ``items`` and keep a digest of the result; not timed, nothing goes to the sink."""
        for item in items:
            image = self._images[item % len(self._images)]
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301
                records.digests[item] = self._task.digest(self._task.run(self._reader.read(image), image))
            except Exception as error:
                # The kind of failure is part of the result, its wording is not: it may name a path or an address.
                records.digests[item] = f"failed: {type(error).__name__}".encode()
                records.errors[item] = describe(error)

    def close(self) -> None:
        """Let go of whatever the source and the sink have open; nothing is handled after that."""
        self._reader.close()
        self._sink.close()


def describe(error: BaseException) -> str:
    """An error in one line of at most 300 characters."""
    lines = str(error).strip().splitlines() or [""]
    return masked(f"{type(error).__name__}: {lines[0]}")[:300]
