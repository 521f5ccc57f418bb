"""``sink=none``: the result is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.config.options import NoSink
from runner.pipeline.receipts import Receipt
from runner.pipeline.sinks.delivery import Sent


class NoneSink:
    """Takes anything."""

    def __init__(self, config: NoSink, array: Callable[[Any], Any]) -> None:
        """Nothing of either is used."""

    @staticmethod
    def destination(config: NoSink, folder: Path, name: str) -> Nowhere:  # noqa: ARG004  (there is none)
        return Nowhere(config)

    def begin(self, epoch: int) -> None:
        """Do nothing."""

    def put(self, result: Any, item: int) -> None:
        """Do nothing."""

    def end(self) -> Receipt:
        return Receipt()

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True)
class Nowhere:
    """Nothing arrives here."""

    config: NoSink

    def check(self, sent: Sequence[Sent], items: int) -> None:
        """Nothing was sent."""

    def close(self) -> None:
        """Nothing is left."""


PROVIDES = NoneSink
