"""Source → task → sink for one image, with a time stamp between the stages: the only code on the hot path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from runner.errors import ImageRefused
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks import Sink
from runner.pipeline.sources.image import Image
from runner.pipeline.sources.reading import Reader
from runner.pipeline.stamps import Records
from runner.pipeline.tasks import Task
from runner.secrets import masked

# Of how many images each thread that handles them keeps what went wrong: it is likely to be the same again.
MOST_ERRORS = 1000


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

    @property
    def uses_tensorflow(self) -> bool:
        """Whether the workers need TensorFlow's runtime."""
        return bool(self.task.uses_tensorflow)

    def build(self, around: Callable[[Sink, Callable[[Any], Any]], Sink] | None = None) -> Pipeline:
        """Import the stages and build them, in the process that will use them.

        ``around`` makes the sink that is used of the sink that was chosen and the way from a result to an array.
        """
        reader = import_module(self.source_module).PROVIDES(self.source).reader()
        task = import_module(self.task_module).PROVIDES(self.task, self.images)
        sink = import_module(self.sink_module).PROVIDES(self.sink, task.array)
        return Pipeline(self.images, reader, task, sink if around is None else around(sink, task.array))

    def import_stages(self) -> None:
        """Import what the stages need; it takes seconds where it is not there yet, and is a number of its own."""
        for module in (self.source_module, self.task_module, self.sink_module):
            import_module(module)
        # Some sources know only by their option which packages they take.
        getattr(import_module(self.source_module).PROVIDES(self.source), "import_drivers", lambda: None)()


class Pipeline:
    """What the workers of one process share; safe to use from many threads, each with records of its own."""

    def __init__(self, images: Sequence[Image], reader: Reader, task: Task, sink: Sink) -> None:
        self.images = images
        self.reader = reader
        self._read_async: Any = getattr(reader, "read_async", None)
        self.task = task
        self.sink = sink

    def begin(self, epoch: int) -> None:
        """What is handled from here on belongs to this pass over the images; called before it, when no thread handles anything."""
        self.sink.begin(epoch)

    def end(self) -> Receipt:
        """What has been sent since ``begin``; called in the timed epoch, at its end, when no thread handles anything any more."""
        return self.sink.end()

    def handle(self, items: Iterable[int], worker: int, thread: int, records: Records) -> None:
        """Take each of ``items`` through the stages, and append what happened to ``records``."""
        images, count = self.images, len(self.images)
        read, run, put = self.reader.read, self.task.run, self.sink.put
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
                if len(records.errors) < MOST_ERRORS:
                    records.errors[item] = describe(error)

    async def handle_async(
        self, items: Iterable[int], worker: int, records: Records, readers: Executor | None, decoders: Executor
    ) -> None:
        """As ``handle``, but others go on while this one waits; ``readers`` read for a source that cannot do so asynchronously."""
        import asyncio

        images, count = self.images, len(self.images)
        clock, loop = perf_counter_ns, asyncio.get_running_loop()
        for item in items:
            image = images[item % count]
            task_start = sink_start = 0
            read_start = clock()
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301
                if readers is None:
                    data = await self._read_async(image)
                else:
                    data = await loop.run_in_executor(readers, self.reader.read, image)
                task_start = clock()
                sink_start, end = await loop.run_in_executor(decoders, self._run_and_put, data, image, item)
                records.values.extend((item, worker, 0, read_start, task_start, sink_start, end, 1))
            except Exception as error:  # whatever one image does, the epoch goes on
                end = clock()
                records.values.extend((item, worker, 0, read_start, task_start or end, sink_start or end, end, 0))
                if len(records.errors) < MOST_ERRORS:
                    records.errors[item] = describe(error)

    def _run_and_put(self, data: bytes, image: Image, item: int) -> tuple[int, int]:
        """Task and sink, and when the one ended and the other."""
        result = self.task.run(data, image)
        sink_start = perf_counter_ns()
        self.sink.put(result, item)
        return sink_start, perf_counter_ns()

    def verify(self, items: Iterable[int], records: Records) -> None:
        """Run the task on each of ``items`` and keep a digest of the result; not timed, nothing goes to the sink.

        Where results go back to the trial, these do too, with a hash of what was sent.
        """
        hand_over: Callable[[Any, int], bytes] | None = getattr(self.sink, "hand_over", None)
        for item in items:
            image = self.images[item % len(self.images)]
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301
                result = self.task.run(self.reader.read(image), image)
                records.digests[item] = self.task.digest(result)
                if hand_over is not None:
                    records.handed_over[item] = hand_over(result, item)
            except Exception as error:
                # The kind of failure is part of the result, its wording is not: it may name a path or an address.
                records.digests[item] = f"failed: {type(error).__name__}".encode()
                records.errors[item] = describe(error)

    @property
    def reads_async(self) -> bool:
        """Whether the source can be read asynchronously."""
        return self._read_async is not None

    async def close_async(self) -> None:
        """Let go of what was opened in the running event loop; before ``close``."""
        if (close := getattr(self.reader, "close_async", None)) is not None:
            await close()

    def close(self) -> None:
        """Let go of whatever the source and the sink have open; nothing is handled after that."""
        self.reader.close()
        self.sink.close()


def describe(error: BaseException) -> str:
    """An error in one line of at most 300 characters."""
    lines = str(error).strip().splitlines() or [""]
    return masked(f"{type(error).__name__}: {lines[0]}")[:300]
