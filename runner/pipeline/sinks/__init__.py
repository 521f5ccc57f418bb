"""Where the result of an image goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks.delivery import Delivery, Sent

__all__ = ["Delivery", "Destination", "Sent", "Sink", "SinkFactory"]


class Sink(Protocol):
    """Built once in every worker process, then used by all its threads at the same time."""

    def begin(self, epoch: int) -> None:
        """What comes now belongs to this pass over the images, counted from 0 with warm-up; none of the threads is in ``put``."""

    def put(self, result: Any, item: int) -> None:
        """Take the result of item number ``item``.

        Raises:
            SinkError: it could not be delivered.
        """

    def end(self) -> Receipt:
        """Finish what is half done, and say what has been sent since ``begin``; none of the threads is in ``put``.

        Raises:
            SinkError: results that ``put`` had taken are lost.
        """

    def close(self) -> None:
        """Let go of whatever is open."""


class SinkFactory(Protocol):
    """What a sink's file provides: built from its option and the way from a task's result to a NumPy array."""

    def __call__(self, config: Any, array: Callable[[Any], Any]) -> Sink:
        """Build the sink."""

    def destination(self, config: Any, folder: Path, name: str) -> Destination:
        """The other side of it for one trial, in the conductor.

        Args:
            config: the sink's option.
            folder: of the point.
            name: of the point, as no other has it.

        Raises:
            TrialError: it cannot be made ready.
        """


class Destination(Protocol):
    """Where the results of one trial go, as the conductor sees it: made ready before the trial, asked and tidied up after it.

    Attributes:
        config: the sink's option as the trial is to have it.
    """

    @property
    def config(self) -> Any: ...

    def check(self, sent: Sequence[Sent], items: int) -> Delivery | None:
        """Compare what arrived with what was sent, pass by pass; None where nothing is sent."""

    def close(self) -> None:
        """Tidy up, however the trial went."""
