"""Source → task → sink for one image, with a time stamp between the stages: the only code on the hot path."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from time import perf_counter_ns
from typing import Any

from runner.config.options import Skip
from runner.errors import ImageRefused, ImageReplaced
from runner.pipeline.receipts import Receipt
from runner.pipeline.shortcuts import from_memory, ready_results
from runner.pipeline.sinks import HandsOver, HearsOfFailures, Sink
from runner.pipeline.sources import AsyncReader, Image, ImportsDrivers, Reader
from runner.pipeline.stamps import Records
from runner.pipeline.tasks import Task
from runner.secrets import learn, masked

# Of an image's digest; a source of images that are made up for a test may have none.
_SHA256_DIGITS = 64

# How many errors a thread keeps in an epoch; what follows is likely to be the same.
MOST_ERRORS = 1000


@dataclass(frozen=True)
class PipelinePlan:
    """What a worker needs to build its pipeline; small, and picklable for workers that are spawned.

    Attributes:
        images: the different images; item ``i`` is image ``i % len(images)``.
        source_module, task_module, sink_module: the modules that provide them.
        source, task, sink: their options.
        secrets: what is masked wherever it turns up.
        skip: the stages that are left out of the timed passes.
    """

    images: Sequence[Image]
    source_module: str
    source: Any
    task_module: str
    task: Any
    sink_module: str
    sink: Any
    secrets: tuple[str, ...] = ()
    skip: Skip = Skip.none

    @property
    def uses_tensorflow(self) -> bool:
        """Whether the workers need TensorFlow's runtime."""
        return bool(self.task.uses_tensorflow)

    def build(
        self, around: Callable[[Sink, Callable[[Any], Any]], Sink] | None = None, reader: Reader | None = None
    ) -> Pipeline:
        """Import the stages and build them, in the process that will use them.

        Args:
            around: wraps the sink that was chosen; it gets the sink, and the function from a task's result to a NumPy array.
            reader: reads the images instead of the source's own.
        """
        learn(self.secrets)
        reader = reader or import_module(self.source_module).PROVIDES(self.source).reader()
        task = import_module(self.task_module).PROVIDES(self.task, self.images)
        sink = import_module(self.sink_module).PROVIDES(self.sink, task.array)
        return Pipeline(self.images, reader, task, sink if around is None else around(sink, task.array), self.skip)

    def import_stages(self) -> None:
        """Import what the stages need; that may take seconds, which are measured by themselves."""
        for module in (self.source_module, self.task_module, self.sink_module):
            import_module(module)
        source = import_module(self.source_module).PROVIDES(self.source)
        if isinstance(source, ImportsDrivers):
            source.import_drivers()


class Pipeline:
    """What the workers of one process share; safe to use from many threads, each with records of its own."""

    def __init__(self, images: Sequence[Image], reader: Reader, task: Task, sink: Sink, skip: Skip = Skip.none) -> None:
        self.images = images
        self.reader = reader
        self.task = task
        self._read = reader.read if skip is Skip.none else from_memory(images, reader)
        self._run = ready_results(images, self._read, task) if skip is Skip.preparation else task.run
        self._async_reader = reader if isinstance(reader, AsyncReader) and skip is Skip.none else None
        self._in_memory = skip is not Skip.none
        self.sink = sink
        self._missed = sink.missed if isinstance(sink, HearsOfFailures) else None

    def begin(self, epoch: int) -> None:
        """Begin a pass over the images; called when no thread handles anything."""
        self.sink.begin(epoch)

    def end(self) -> Receipt:
        """End the pass, and return what has been sent; called within the timed epoch, when no thread handles anything any more."""
        return self.sink.end()

    def handle(self, items: Iterable[int], worker: int, thread: int, records: Records) -> None:
        """Take each of ``items`` through the stages, and append what happened to ``records``."""
        images, count = self.images, len(self.images)
        read, run, put = self._read, self._run, self.sink.put
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
                self._failed(item, error, records)

    async def handle_async(
        self,
        items: Iterable[int],
        worker: int,
        records: Records,
        readers: Executor | None,
        decoders: Executor,
        *,
        turn: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """As ``handle``, but other tasks of the event loop go on while this one waits.

        Task and sink run in the threads of ``decoders``; a source without an asynchronous reader is read in those of ``readers``. Where
        there is a ``turn``, each item is handled when that lets it.
        """
        import asyncio

        images, count = self.images, len(self.images)
        clock, loop, async_reader = perf_counter_ns, asyncio.get_running_loop(), self._async_reader
        for item in items:
            if turn is not None:
                await turn(item)
            image = images[item % count]
            task_start = sink_start = 0
            read_start = clock()
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301
                if async_reader is not None:
                    data = await async_reader.read_async(image)
                elif self._in_memory:
                    data = self._read(image)
                else:
                    data = await loop.run_in_executor(readers, self.reader.read, image)
                task_start = clock()
                sink_start, end = await loop.run_in_executor(decoders, self._run_and_put, data, image, item)
                records.values.extend((item, worker, 0, read_start, task_start, sink_start, end, 1))
            except Exception as error:  # whatever one image does, the epoch goes on
                end = clock()
                records.values.extend((item, worker, 0, read_start, task_start or end, sink_start or end, end, 0))
                self._failed(item, error, records)

    def _failed(self, item: int, error: Exception, records: Records) -> None:
        if len(records.errors) < MOST_ERRORS:
            records.errors[item] = describe(error)
        if self._missed is not None:
            self._missed(item)

    def _run_and_put(self, data: bytes, image: Image, item: int) -> tuple[int, int]:
        """Task and sink; returns when each of them ended, in ns."""
        result = self._run(data, image)
        sink_start = perf_counter_ns()
        self.sink.put(result, item)
        return sink_start, perf_counter_ns()

    def verify(self, items: Iterable[int], records: Records) -> None:
        """Run the task on each of ``items`` and keep a digest of the result; not timed, nothing goes to the sink.

        Where results go back to the trial, these do too, with a hash of what was sent.
        """
        hand_over = self.sink.hand_over if isinstance(self.sink, HandsOver) else None
        for item in items:
            image = self.images[item % len(self.images)]
            try:
                if image.refused is not None:
                    raise ImageRefused(image.refused)  # noqa: TRY301
                result = self.task.run(self._same_bytes(image), image)
                records.digests[item] = self.task.digest(result)
                if hand_over is not None:
                    records.handed_over[item] = hand_over(result, item)
            except Exception as error:
                # The kind of failure is part of the result, its wording is not: it may name a path or an address.
                records.digests[item] = f"failed: {type(error).__name__}".encode()
                records.errors[item] = describe(error)

    def check_unchanged(self, item: int, records: Records) -> None:
        """Have the item failed in ``records`` where its image is not the one that was inspected; for results that were made elsewhere."""
        try:
            self._same_bytes(self.images[item % len(self.images)])
        except Exception as error:
            records.digests[item] = f"failed: {type(error).__name__}".encode()
            records.errors[item] = describe(error)

    def _same_bytes(self, image: Image) -> bytes:
        """The bytes of an image, which are those that were inspected.

        Raises:
            ImageReplaced: they are others.
        """
        data = self.reader.read(image)
        if len(image.digest) == _SHA256_DIGITS and hashlib.sha256(data).hexdigest() != image.digest:
            raise ImageReplaced("it has been replaced since it was inspected")
        return data

    @property
    def reads_async(self) -> bool:
        """Whether the source can be read asynchronously."""
        return self._async_reader is not None

    async def close_async(self) -> None:
        """Close what was opened in the running event loop; before ``close``."""
        if self._async_reader is not None:
            await self._async_reader.close_async()

    def close(self) -> None:
        """Close whatever the source and the sink have open; nothing is handled after that."""
        self.reader.close()
        self.sink.close()


# What TensorFlow puts around the reason (the function and the device, the node, the op; of a graph a traceback of how it was made), and
# what Pillow puts behind it.
_AROUND = re.compile(
    r" <[\w.]+ object at 0x[0-9a-f]+>|\{\{function_node [^}]*\}\}\s*|\s*\[\[\{\{node [^}]*\}\}\]\]|\s*\[Op:\w+\]( name:.*)?"
)
_GRAPH = re.compile(r"Graph execution error:.*\n\n(?=\S)", re.DOTALL)


def describe(error: BaseException) -> str:
    """An error in one line of at most 300 characters: its type and its reason."""
    name, text = type(error).__name__, _AROUND.sub("", _GRAPH.sub("", str(error)))
    reason = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return masked(f"{name}: {reason}" if reason else name)[:300]
