"""Where the result of an image goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


class Sink(Protocol):
    """Built once in every worker process, then used by all its threads at the same time."""

    def put(self, result: Any, item: int) -> None:
        """Take the result of item number ``item``."""

    def close(self) -> None:
        """Let go of whatever is open."""


class SinkFactory(Protocol):
    """What a sink's file provides: built from its option and the way from a task's result to a NumPy array."""

    def __call__(self, config: Any, array: Callable[[Any], Any]) -> Sink:
        """Build the sink."""
