"""Where the result of an image goes: a sink sends it, in each worker, and a destination says what arrived, in the conductor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks.delivery import Delivery, Sent

__all__ = ["Delivery", "Destination", "HandsOver", "HearsOfFailures", "Sent", "Sink", "SinkFactory"]


class Sink(Protocol):
    """Built once in every worker process, then used by all its threads at the same time."""

    def begin(self, epoch: int) -> None:
        """The results that follow belong to this pass over the images, counted from 0 with warm-up; no thread is in ``put``."""

    def put(self, result: Any, item: int) -> None:
        """Take the result of item number ``item``.

        Raises:
            SinkError: it could not be delivered.
        """

    def end(self) -> Receipt:
        """Finish what is half done, and return what has been sent since ``begin``; no thread is in ``put``.

        Raises:
            SinkError: results that ``put`` had taken are lost.
        """

    def close(self) -> None:
        """Let go of whatever is open; may be called again."""


@runtime_checkable
class HandsOver(Sink, Protocol):
    """A sink that brings each result back to the trial, too."""

    def hand_over(self, result: Any, item: int) -> bytes:
        """Only bring it back; returns the digest of what was sent."""


@runtime_checkable
class HearsOfFailures(Sink, Protocol):
    """A sink that is told of items that have no result."""

    def missed(self, item: int) -> None:
        """The item has failed, in whichever stage."""


class SinkFactory(Protocol):
    """What a sink's file provides as ``PROVIDES``."""

    def __call__(self, config: Any, array: Callable[[Any], Any]) -> Sink:
        """The sink with this option; ``array`` turns a task's result into a NumPy array."""

    def destination(self, config: Any, folder: Path, name: str) -> Destination:
        """Where the results of one trial go, as the conductor sees it.

        Args:
            config: the sink's option.
            folder: of the point.
            name: of the point, unique in the sweep.

        Raises:
            TrialError: it cannot be made ready.
        """


class Destination(Protocol):
    """The place of one trial's results: made ready before the trial, asked and tidied up after it.

    Attributes:
        config: the sink's option as the trial is to have it.
    """

    @property
    def config(self) -> Any: ...

    def check(self, sent: Sequence[Sent], items: int) -> Delivery | None:
        """Compare what arrived with what was sent, pass by pass; None where nothing is sent."""

    def close(self) -> None:
        """Tidy up, however the trial went."""
