"""Where the result of an image goes."""

from __future__ import annotations

from typing import Any, Protocol


class Sink(Protocol):
    """Built once in every worker process, then used by all its threads at the same time."""

    def put(self, result: Any, item: int) -> None:
        """Take the result of item number ``item``."""
