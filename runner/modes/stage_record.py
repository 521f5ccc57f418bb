"""What the record says of a stage, where a backend consists of stages and says what each took."""

from __future__ import annotations

from typing import TypedDict


class StageRecord(TypedDict):
    """A stage, in the order of the pipeline.

    ``parallel_calls`` and ``buffer`` are the last that were chosen; the latter counts results, or batches. ``ms_per_image`` is what a call took,
    by the image; ``busy_pct`` how much of the pass all images took, divided among the parallel calls: 100 at most, since there may have been
    more calls before.
    """

    stage: str
    parallel_calls: int
    buffer: int | None
    ms_per_image: float
    busy_pct: float
