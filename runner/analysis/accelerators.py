"""What it takes to feed accelerators: machines and CPUs like the measured ones, on paper."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

from runner.analysis.capacity import Range, mean_seconds, seconds_an_image
from runner.errors import RunnerError
from runner.record.point_schema import ResultJson


@dataclass(frozen=True)
class Accelerators:
    """Some accelerators of a kind: how many, and how many images a second each takes."""

    name: str
    count: int
    images_per_s: float


@dataclass(frozen=True)
class FeedingPlan:
    """What feeds them.

    Attributes:
        needed_images_per_s: what all of them take together.
        machine_images_per_s: what a machine like the measured one does.
        machines: how many such machines; with the upper end of the interval of a machine's speed at ``low``, and the lower at ``high``.
        cpus: how many CPUs are busy all the time: images a second × CPU seconds an image.
    """

    needed_images_per_s: float
    machine_images_per_s: Range
    machines: Range
    cpus: float


def feeding_plan(record: ResultJson, accelerators: Accelerators, chosen_from: int = 1) -> FeedingPlan:
    """What feeds the accelerators at the throughput and the cost of a point's record.

    Raises:
        RunnerError: the point has no throughput of its own: its trials failed, or waited for a consumer.
    """
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]
    seconds = [one for trial in good if (one := seconds_an_image(trial)) is not None]
    if not seconds:
        raise RunnerError("this point has no throughput: no trial of it went well")
    fed = record.get("input")
    if fed is not None and fed["verdict"] == "not input-bound":
        raise RunnerError(
            "this point did no more than its consumer took, so that its throughput is the consumer's; measure it with consumer=none"
        )
    needed = accelerators.count * accelerators.images_per_s
    image_s = mean_seconds(seconds, chosen_from)
    rate = image_s.each(lambda one: 1 / one)
    cpu_s = statistics.fmean(
        sum(epoch["cpu_s"] for epoch in trial["epochs"]) / sum(epoch["images_ok"] for epoch in trial["epochs"])
        for trial in good
    )
    return FeedingPlan(
        needed,
        Range(rate.value, rate.high, rate.low),
        image_s.each(lambda one: float(math.ceil(needed * one))),
        needed * cpu_s,
    )
