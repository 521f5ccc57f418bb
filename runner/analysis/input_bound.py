"""Whether a consumer waits for its input, in the terms of XProf's input-pipeline analyser, and what it would take to feed it.

The share of the step in which it waits: below 5 % it is not input-bound, up to 20 % moderately, above that highly (openxla/xprof,
``op_stats_to_input_pipeline_analysis.cc``).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from runner.record.consumer_schema import InputRecord, InputVerdict
from runner.record.trial_schema import TrialRecord

MODERATELY_PCT = 5.0
HIGHLY_PCT = 20.0


@dataclass(frozen=True)
class Fed:
    """A consumer and what it got.

    Attributes:
        waiting_pct: of a step's time, how much it waited.
        needs_images_per_s: how many it could take: images ÷ busy seconds.
        cpu_s_per_image: what an image costs, in all processes, without the thread of the consumer.
    """

    waiting_pct: float
    needs_images_per_s: float
    cpu_s_per_image: float

    @property
    def verdict(self) -> InputVerdict:
        """In XProf's terms."""
        if self.waiting_pct < MODERATELY_PCT:
            return "not input-bound"
        return "moderately input-bound" if self.waiting_pct <= HIGHLY_PCT else "highly input-bound"

    @property
    def share(self) -> float:
        """Which share of the consumer is fed: 1 where it never waits."""
        return 1 - self.waiting_pct / 100

    @property
    def cpus(self) -> float:
        """The CPU seconds a second that feed the consumer without a wait: images it could take a second × CPU seconds an image."""
        return self.needs_images_per_s * self.cpu_s_per_image

    def record(self) -> InputRecord:
        """As ``result.json`` has it."""
        return {
            "verdict": self.verdict,
            "waiting_pct": self.waiting_pct,
            "share_fed": self.share,
            "needs_images_per_s": self.needs_images_per_s,
            "cpus_needed": self.cpus,
            "text": self.text(),
        }

    def text(self) -> str:
        """One sentence: the verdict, and what it would take."""
        cpus = math.ceil(self.cpus)
        counted = f"{cpus} CPU{'' if cpus == 1 else 's'}"
        if self.waiting_pct < MODERATELY_PCT:
            return (
                f"{self.verdict}: {self.waiting_pct:.1f} % of the step is waiting; feeding it takes the time of about {counted}"
            )
        waits = f"{self.verdict}: {self.waiting_pct:.0f} % of the step is waiting"
        return f"{waits}; feeds {self.share:.2f} of this accelerator; {counted} would feed it, see plan"


def break_even_workers(waits: Sequence[tuple[float, float]]) -> float | None:
    """The number of workers with which the consumer waits for 5 % of its step, on the straight line between the two measured numbers around it.

    While a consumer waits, what it gets grows with the workers, so its wait falls along a line.

    Args:
        waits: workers, ascending, and per cent of the step in which it waits.

    Returns:
        None where it waits longer with every number of workers, or less with the fewest.
    """
    for (fewer, longer), (more, shorter) in itertools.pairwise(waits):
        if longer > MODERATELY_PCT >= shorter:
            return fewer + (more - fewer) * (longer - MODERATELY_PCT) / (longer - shorter)
    return None


def fed(trials: Sequence[TrialRecord]) -> Fed | None:
    """The medians over the trials that succeeded; None where there was no consumer, or too few steps."""
    found = [one for trial in trials if (one := _fed(trial)) is not None]
    if not found:
        return None
    return Fed(
        statistics.median(one.waiting_pct for one in found),
        statistics.median(one.needs_images_per_s for one in found),
        statistics.median(one.cpu_s_per_image for one in found),
    )


def _fed(trial: TrialRecord) -> Fed | None:
    consumer = trial.get("consumer")
    if trial["status"] != "ok" or consumer is None:
        return None
    epochs = [epoch for epoch in consumer["epochs"] if epoch["images_per_s"] is not None and epoch["busy_s"] > 0]
    if not epochs:
        return None
    wait_s, busy_s = sum(epoch["wait_s"] for epoch in epochs), sum(epoch["busy_s"] for epoch in epochs)
    images = sum((epoch["images_per_s"] or 0.0) * epoch["total_s"] for epoch in epochs)
    handled = sum(epoch["images_ok"] + epoch["images_failed"] for epoch in trial["epochs"])
    cpu_s = sum(epoch["cpu_s"] for epoch in trial["epochs"]) - sum(epoch["cpu_s"] for epoch in consumer["epochs"])
    return Fed(wait_s / (wait_s + busy_s) * 100, images / busy_s, max(0.0, cpu_s) / handled)


def input_record(trials: Sequence[TrialRecord]) -> InputRecord | None:
    """Of a point, for its record; None without a consumer."""
    found = fed(trials)
    return None if found is None else found.record()
