"""Results sent through a sink as a worker sends them, in this process or, since it is light to import, in a fresh one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import numpy as np

from runner.config.registry import module_of
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks import Sent, Sink
from runner.pipeline.sources import Image
from runner.pipeline.stamps import Records

THREADS = 2

# The item whose result is no array.
UNSENDABLE = 5

_IMAGES = [Image(str(number), "other", 0, 0, "") for number in range(100)]


class _Numbers:
    """Stands in for a source and a task: the result of an image is its number."""

    def read(self, image: Image) -> bytes:
        return image.path.encode()

    def run(self, data: bytes, image: Image) -> int:
        return int(data)

    def array(self, result: int) -> Any:
        return np.full((4, 4, 3), result, np.uint8)

    def digest(self, result: int) -> bytes:
        return bytes([result])

    def close(self) -> None:
        """Nothing is open."""


class _NumbersButOne(_Numbers):
    def array(self, result: int) -> Any:
        if result == UNSENDABLE:
            raise ValueError("there is no array of this")
        return super().array(result)


def opened(config: Any, numbers: _Numbers | None = None) -> Sink:
    """The sink, as a worker builds it."""
    from importlib import import_module

    sink: Sink = import_module(module_of("sink", config.name)).PROVIDES(config, (numbers or _Numbers()).array)
    return sink


def sent(config: Any, items: Iterable[int], *, unsendable: bool = False) -> Sent:
    """What one worker says of one pass with these items."""
    numbers = _NumbersButOne() if unsendable else _Numbers()
    with closing(opened(config, numbers)) as sink:
        pipeline, records = Pipeline(_IMAGES, numbers, numbers, sink), Records()
        pipeline.begin(0)
        pipeline.handle(items, 0, 0, records)
        records.receipt = pipeline.end()
        return Sent.of(records)


def sent_by_threads(config: Any, items: int, passes: int, workers: int) -> Sequence[Sent]:
    """What workers of two threads each say of some passes, of which they share the items."""
    numbers, count = _Numbers(), workers * THREADS
    with ExitStack() as stack:
        pipelines = [
            Pipeline(_IMAGES, numbers, numbers, stack.enter_context(closing(opened(config, numbers)))) for _ in range(workers)
        ]
        threads = stack.enter_context(ThreadPoolExecutor(count))

        def handled(number: int) -> Records:
            records = Records()
            pipelines[number % workers].handle(range(number, items, count), 0, number, records)
            return records

        said = []
        for epoch in range(passes):
            whole = Records()
            for pipeline in pipelines:
                pipeline.begin(epoch)
            for records in threads.map(handled, range(count)):
                whole.absorb(records)
            for pipeline in pipelines:
                whole.receipt += pipeline.end()
            said.append(Sent.of(whole))
        return said
