"""A sink that hands each result on within its process, after another sink has taken it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks import Sink


class Taker(Protocol):
    """Takes the results of an epoch."""

    def result(self, item: int, array: Any, *, lasting: bool) -> None:
        """Take the result of an item."""

    def missed(self, item: int) -> None:
        """An item has failed."""


class HandingSink:
    """Gives results to whoever takes them in this epoch.

    Attributes:
        taker: of this epoch; None where there is none. Set while no item is handled.

    Args:
        sink: the other sink, which was chosen in the configuration.
        array: from a task's result to a NumPy array.
    """

    def __init__(self, sink: Sink, array: Callable[[Any], Any]) -> None:
        self.taker: Taker | None = None
        self._sink, self._array = sink, array

    def begin(self, epoch: int) -> None:
        self._sink.begin(epoch)

    def put(self, result: Any, item: int) -> None:
        self._sink.put(result, item)
        if self.taker is not None:
            self.taker.result(item, self._array(result), lasting=True)

    def missed(self, item: int) -> None:
        """The item has failed, in whichever stage."""
        if self.taker is not None:
            self.taker.missed(item)

    def end(self) -> Receipt:
        return self._sink.end()

    def close(self) -> None:
        self._sink.close()
