"""Where the time of an image goes: fetched, prepared, handed over, consumed. Found by leaving stages out and measuring what is left.

With t the seconds an image of a pass, the fetch stall is t(everything) − t(bytes in memory), the preparation stall t(bytes in memory) − t(results
ready), and what is left is handing over and, where there is one, the consumer (Mohan et al., Analyzing and Mitigating Data Stalls in DNN Training,
2021). Each is the mean over rounds of the differences within a round, with Student's t interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from runner.analysis.readings import Key, Readings
from runner.analysis.statistics import ALPHA, t_quantile

# What is measured, by the stages that it leaves out; the same without the consumer, where there is one; and the task's first steps.
WHOLE, IN_MEMORY, READY = "everything", "bytes in memory", "results ready"
ALONE = ", no consumer"


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval, which is infinite where there is one value."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate | None:
        """That of values of as many rounds; None where there is none."""
        if not values:
            return None
        mean = statistics.fmean(values)
        if len(values) == 1:
            return cls(mean, -math.inf, math.inf)
        half = t_quantile(1 - ALPHA / 2, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
        return cls(mean, mean - half, mean + half)

    @property
    def is_there(self) -> bool:
        """Whether it is above 0 for certain."""
        return self.low > 0


@dataclass(frozen=True)
class Part:
    """A part of the time of an image.

    Attributes:
        name: ``fetch``, ``preparation``, ``hand-over`` or ``consumer``.
        seconds: an image.
        share: of the time of everything, 0 to 1.
    """

    name: str
    seconds: Estimate
    share: float


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        whole_s: seconds an image of everything.
        parts: in the order of the pipeline; together they are the whole.
        steps: the share of the task's own time of each of its steps, where they were measured.
        alone: images a second of each leg without the consumer: what the stages could deliver.
        busy_s: seconds an image for which the consumer was busy; None without one.
    """

    whole_s: Estimate
    parts: Sequence[Part]
    steps: Mapping[str, float]
    alone: Mapping[str, float]
    busy_s: float | None

    @property
    def largest(self) -> Part | None:
        """The part for which most time goes beside the consumer, if that is more than nothing for certain."""
        stalls = [part for part in self.parts if part.name != "consumer" and part.seconds.is_there]
        return max(stalls, key=lambda part: part.seconds.value, default=None)

    @property
    def has_a_stall(self) -> bool:
        """Whether the consumer waits for more than 5 % of the time; without a consumer there is always something that takes the time."""
        if self.busy_s is None:
            return True
        return sum(part.share for part in self.parts if part.name != "consumer") > 0.05


def diagnosis(legs: Mapping[str, Readings], steps: Sequence[str] = (), busy_s: float | None = None) -> Diagnosis | None:
    """What the legs say; None where one of the three that it takes has no result in common with the others.

    Args:
        legs: of each leg, the logarithm of images a second by round.
        steps: of the task, in order; the legs of its first steps have their names, joined by ``+``.
        busy_s: seconds an image for which the consumer is busy; None without one.
    """
    seconds = {name: {key: math.exp(-one.log) for key, one in readings.items()} for name, readings in legs.items()}
    whole = Estimate.of(list(seconds.get(WHOLE, {}).values()))
    fetch, preparation = _between(seconds, WHOLE, IN_MEMORY), _between(seconds, IN_MEMORY, READY)
    rest = Estimate.of(list(seconds.get(READY, {}).values()))
    if whole is None or fetch is None or preparation is None or rest is None:
        return None
    found = {"fetch": fetch, "preparation": preparation}
    if busy_s is None:
        found["hand-over"] = rest
    else:
        found["hand-over"] = Estimate(rest.value - busy_s, rest.low - busy_s, rest.high - busy_s)
        found["consumer"] = Estimate(busy_s, busy_s, busy_s)
    parts = [Part(name, one, max(0.0, one.value) / whole.value) for name, one in found.items()]
    suffix = ALONE if WHOLE + ALONE in seconds else ""
    alone = {
        name: 1 / statistics.fmean(seconds[name + suffix].values())
        for name in (WHOLE, IN_MEMORY, READY)
        if seconds.get(name + suffix)
    }
    return Diagnosis(whole, parts, _steps(seconds, steps, suffix), alone, busy_s)


def _between(seconds: Mapping[str, Mapping[Key, float]], more: str, less: str) -> Estimate | None:
    """Of the differences within the rounds that both legs have."""
    one, other = seconds.get(more, {}), seconds.get(less, {})
    return Estimate.of([one[key] - other[key] for key in one if key in other])


def _steps(seconds: Mapping[str, Mapping[Key, float]], steps: Sequence[str], suffix: str) -> dict[str, float]:
    """The share of each step: by how much the leg that ends with it takes longer than the one before, out of memory."""
    if len(steps) < 2:
        return {}
    ends = [READY + suffix, *("+".join(steps[:count]) for count in range(1, len(steps))), IN_MEMORY + suffix]
    between = [_between(seconds, later, earlier) for earlier, later in pairwise(ends)]
    if any(one is None for one in between):
        return {}
    took = [max(0.0, one.value) for one in between if one is not None]
    total = sum(took)
    return dict(zip(steps, (one / total for one in took), strict=True)) if total else {}
