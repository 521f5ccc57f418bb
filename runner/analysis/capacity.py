"""From one point's throughput to machines, hours and money for any number of images, on paper.

The time of a run is its images times the mean seconds an image, so the mean over trials is what counts: the median rate is better than that wherever
some trials are slow. Machines are counted so that the deadline is kept with 95 %: half of what is left goes to the mean, which may be larger than was
measured, and half to the slowest machine, since machines of one kind differ.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runner.analysis.statistics import ALPHA, t_quantile
from runner.errors import RunnerError
from runner.record.point_schema import ResultJson
from runner.record.trial_schema import GoodTrial

# The chance that the machines that are named are done in time, as far as the measured spread goes.
KEPT = 0.95

# That of each of the two things that may go wrong.
_EACH = (1 + KEPT) / 2

# By how much machines of one kind differ, as a standard deviation of their speed, where nothing better is known.
MACHINES_DIFFER = 0.05

# More are not looked for.
_MOST_MACHINES = 10**9


@dataclass(frozen=True)
class Range:
    """A figure, and what it is where the mean seconds an image are at their lower and at their upper bound; None where there are none.

    Each bound holds with 97.5 %, both together with 95 %; there are none from a single trial.
    """

    value: float
    low: float | None
    high: float | None

    def each(self, of: Callable[[float], float]) -> Range:
        """The same function of all three."""
        return Range(of(self.value), None if self.low is None else of(self.low), None if self.high is None else of(self.high))


@dataclass(frozen=True)
class Job:
    """What is asked for.

    Attributes:
        images: how many.
        deadline_s: seconds from the start; None without one.
        price: for an hour of a CPU; None without one.
        machines_differ: the standard deviation of the speed of machines of this kind, relative to it.
        chosen_from: of how many points this one was chosen by its throughput: the best of many is luckier than it is good.
    """

    images: float
    deadline_s: float | None = None
    price: float | None = None
    machines_differ: float = MACHINES_DIFFER
    chosen_from: int = 1


@dataclass(frozen=True)
class Capacity:
    """What a number of images takes.

    Attributes:
        images_per_s: of a machine: 1 ÷ mean seconds an image.
        machine_hours: of machines like the measured one.
        machines: that are done by the deadline with a chance of ``KEPT``; None without a deadline.
        hours: until the slowest of them is done; of one machine without a deadline. Its high end keeps the deadline.
        money: in the price's currency; None without a price.
    """

    images_per_s: Range
    machine_hours: Range
    machines: int | None
    hours: Range
    money: Range | None


def capacity(record: ResultJson, job: Job) -> Capacity:
    """What the job takes at the throughput of a point's record.

    Each machine pays its own start once: import, start-up and teardown as measured.

    Raises:
        RunnerError: the point has no throughput, or the deadline cannot be kept.
    """
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]
    seconds = [one for trial in good if (one := seconds_an_image(trial)) is not None]
    if not seconds:
        raise RunnerError("this point has no throughput: no trial of it went well")
    start_s = max((trial["preload_s"] or 0.0) + trial["import_s"] + trial["startup_s"] + trial["teardown_s"] for trial in good)
    image_s = mean_seconds(seconds, job.chosen_from)
    at_most_s = image_s.value if image_s.high is None else image_s.high
    machines = None if job.deadline_s is None else machines_for(job, start_s, at_most_s)
    count = machines or 1
    cpus = max(trial["cpus_usable"] for trial in good)

    def hours(seconds: float, chance: float) -> float:
        return (start_s + job.images / count * seconds * slowest(count, job.machines_differ, chance)) / 3600

    rate, work = image_s.each(lambda one: 1 / one), image_s.each(lambda one: (count * start_s + job.images * one) / 3600)
    return Capacity(
        images_per_s=Range(rate.value, rate.high, rate.low),
        machine_hours=work,
        machines=machines,
        hours=Range(
            hours(image_s.value, 0.5),
            None if image_s.low is None else hours(image_s.low, 0.5),
            None if image_s.high is None else hours(image_s.high, _EACH),
        ),
        money=None if job.price is None else work.each(lambda one: one * cpus * (job.price or 0.0)),
    )


def seconds_an_image(trial: GoodTrial) -> float | None:
    """Of a trial: the seconds of its timed epochs ÷ their images; None where none went well."""
    images = sum(epoch["images_ok"] for epoch in trial["epochs"])
    return sum(epoch["work_s"] for epoch in trial["epochs"]) / images if images else None


def mean_seconds(seconds: Sequence[float], chosen_from: int = 1) -> Range:
    """The mean over trials with its 95 % interval, by Student's t.

    Args:
        seconds: of an image, by trial.
        chosen_from: of how many points this one was chosen, whose bounds have to hold together.
    """
    n, mean = len(seconds), statistics.fmean(seconds)
    if n < 2:
        return Range(mean, None, None)
    half = t_quantile(1 - ALPHA / 2 / max(1, chosen_from), n - 1) * statistics.stdev(seconds) / math.sqrt(n)
    return Range(mean, mean**2 / (mean + half), mean + half)  # by as large a factor below as above: a time is never 0


def slowest(machines: int, differ: float, chance: float) -> float:
    """How many times the mean time the slowest of so many machines takes, at most, with this chance: 1 + Φ⁻¹(chance^(1/machines)) · differ."""
    return 1 + max(0.0, statistics.NormalDist().inv_cdf(min(chance ** (1 / machines), 1 - 1e-15))) * differ


def machines_for(job: Job, start_s: float, image_s: float) -> int:
    """The fewest machines of which the slowest is done by the deadline, but for a chance of half of what is left by ``KEPT``.

    Raises:
        RunnerError: no number is.
    """
    left_s = (job.deadline_s or math.inf) - start_s
    if left_s <= 0:
        raise RunnerError(f"--deadline: the start alone takes {start_s:.1f} s")

    def enough(machines: int) -> bool:
        return job.images / machines * image_s * slowest(machines, job.machines_differ, _EACH) <= left_s

    most = 1
    while not enough(most):
        most *= 2
        if most > _MOST_MACHINES:
            raise RunnerError(f"--deadline: it would take more than {_MOST_MACHINES:,} machines".replace(",", " "))
    few = most // 2
    while most - few > 1:
        middle = (few + most) // 2
        few, most = (few, middle) if enough(middle) else (middle, most)
    return most
