"""``sink=none``: the result is dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.config.options import NoSink


class NoneSink:
    """Takes anything."""

    def __init__(self, config: NoSink, array: Callable[[Any], Any]) -> None:
        """Nothing of either is used."""

    def put(self, result: Any, item: int) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Nothing is open."""


PROVIDES = NoneSink
