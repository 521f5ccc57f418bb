"""``sink=none``: the result is dropped."""

from __future__ import annotations

from typing import Any

from runner.config.options import NoSink


class NoneSink:
    """Takes anything."""

    def __init__(self, config: NoSink) -> None:
        self._config = config

    def put(self, result: Any, item: int) -> None:
        """Do nothing."""


PROVIDES = NoneSink
