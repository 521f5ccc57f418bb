"""The types of a record's part on the consumer."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class StepTimeline(TypedDict):
    """Waiting and being busy over a pass: an entry is the sum over ``steps_each`` steps, the last over what is left."""

    steps_each: int
    wait_s: list[float]
    busy_s: list[float]


class FedEpoch(TypedDict):
    """The steps of one timed pass.

    Utilization, waits and busy times leave out the first steps, as many as ``steps_left_out``; None where no step is left.
    ``cpu_s`` is of the consumer's thread, ``ready`` how many batches were ready beside the one that was taken, on average.
    """

    steps: int
    images: int
    steps_left_out: int
    first_batch_s: float | None
    wait_s: float
    busy_s: float
    cpu_s: float
    total_s: float
    utilization_pct: float | None
    steps_per_s: float | None
    images_per_s: float | None
    step_wait_p50_s: float | None
    step_wait_p95_s: float | None
    step_wait_p99_s: float | None
    step_wait_max_s: float | None
    step_busy_p50_s: float | None
    ready: float | None
    timeline: StepTimeline


class ConsumerRecord(TypedDict):
    """What the consumer of a trial did. ``outcome`` is free-form: each consumer has keys of its own."""

    build_s: float
    epochs: list[FedEpoch]
    outcome: NotRequired[dict[str, Any]]


InputVerdict = Literal["not input-bound", "moderately input-bound", "highly input-bound"]


class InputRecord(TypedDict):
    """Whether a point's consumer waits for its input, and what it would take to feed it; medians over trials.

    ``waiting_pct`` is the share of the step in which it waits, ``share_fed`` the rest of it as a fraction, ``cpus_needed`` the CPU seconds a
    second of an input that never lets it wait.
    """

    verdict: InputVerdict
    waiting_pct: float
    share_fed: float
    needs_images_per_s: float
    cpus_needed: float
    text: str


class ConsumerMetrics(TypedDict, total=False):
    """The metrics of a trial that has a consumer."""

    accelerator_utilization_pct: float | None
    steps_per_s: float | None
    step_wait_ms: float | None
    first_batch_s: float | None
    consumed_images_per_s: float | None
