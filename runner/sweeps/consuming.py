"""What a trial's plan takes from the choice of a consumer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runner.config.options import BatchesOption, ConsumerOption, ModeOption, Order, Returns
from runner.pipeline.batches import Batching


def batching_of(consumer: ConsumerOption) -> Batching | None:
    """How its batches are made; None without a consumer."""
    if not isinstance(consumer, BatchesOption):
        return None
    return Batching(consumer.batch, consumer.order is Order.kept, consumer.queue, consumer.drop_remainder)


def handing_over(mode: ModeOption) -> ModeOption:
    """The mode with a way for results to come back: shared memory, where worker processes would keep them."""
    if getattr(mode, "returns", None) is not Returns.digest:
        return mode
    chosen: Any = mode  # a dataclass, whose base is none to a type checker
    return replace(chosen, returns=Returns.shared_memory)  # type: ignore[no-any-return]
