"""Who takes the results: a consumer gets batch after batch, in the trial's own process, where a training loop would be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Consumer(Protocol):
    """Built once in the trial, after its workers, then used by one thread."""

    def step(self, batch: Any) -> None:
        """Be busy with a batch, a NumPy array of shape ``(results, ...)``.

        Raises:
            Exception: whatever goes wrong; the trial has failed then.
        """

    def outcome(self) -> Mapping[str, Any]:
        """What came of all steps, for the record; asked while no epoch is timed."""


class ConsumerFactory(Protocol):
    """What a consumer's file provides as ``PROVIDES``."""

    def __call__(self, config: Any) -> Consumer:
        """The consumer with this option."""
