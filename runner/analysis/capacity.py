"""From one point's throughput to machines, hours and money for any number of images, on paper."""

from __future__ import annotations

import math
from dataclasses import dataclass

from runner.errors import RunnerError
from runner.record.point_schema import ResultJson


@dataclass(frozen=True)
class Range:
    """A figure with what it is at the ends of the throughput's 95 % interval; None where there is no interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Capacity:
    """What a number of images takes.

    Attributes:
        machine_hours: of machines like the measured one.
        machines: to be done by the deadline; None without one.
        hours: until it is done, with that many machines, or with one.
        money: in the price's currency; None without a price.
    """

    machine_hours: Range
    machines: Range | None
    hours: Range
    money: Range | None


@dataclass(frozen=True)
class _Figures:
    """The same at one throughput."""

    machine_hours: float
    machines: int | None
    hours: float
    money: float | None


@dataclass(frozen=True)
class _Job:
    """What is asked for, and what a machine of it takes besides the images.

    Attributes:
        images: how many.
        start_s: import, start-up and teardown, which each machine pays once.
        cpus: of a machine.
        deadline_s: seconds from the start; None without one.
        price: for an hour of a CPU; None without one.
    """

    images: float
    start_s: float
    cpus: float
    deadline_s: float | None
    price: float | None

    def at(self, images_per_s: float) -> _Figures:
        """What it takes at this throughput of a machine."""
        work_s = self.images / images_per_s
        machines = None if self.deadline_s is None else math.ceil(work_s / (self.deadline_s - self.start_s))
        each_s = self.start_s + work_s / (machines or 1)
        machine_hours = each_s * (machines or 1) / 3600
        money = None if self.price is None else machine_hours * self.cpus * self.price
        return _Figures(machine_hours, machines, each_s / 3600, money)


def capacity(record: ResultJson, images: float, deadline_s: float | None, price: float | None) -> Capacity:
    """What ``images`` take at the throughput of a point's record.

    Each machine pays its own start once: import, start-up and teardown as measured.

    Raises:
        RunnerError: the point has no throughput, or not even the start fits before the deadline.
    """
    rate = record["metrics"].get("images_per_s")
    if rate is None or not rate["value"]:
        raise RunnerError("this point has no throughput: no trial of it went well")
    good = [trial for trial in record["trials"] if trial["status"] == "ok"]
    start_s = max((trial["preload_s"] or 0.0) + trial["import_s"] + trial["startup_s"] + trial["teardown_s"] for trial in good)
    if deadline_s is not None and deadline_s <= start_s:
        raise RunnerError(f"--deadline: the start alone takes {start_s:.1f} s")
    job = _Job(images, start_s, max(trial["cpus_usable"] for trial in good), deadline_s, price)
    middle = job.at(rate["value"])
    ends = [] if rate["low"] is None or rate["high"] is None else [job.at(rate["high"]), job.at(rate["low"])]
    return Capacity(
        machine_hours=_range(middle.machine_hours, [end.machine_hours for end in ends]),
        machines=None if middle.machines is None else _range(middle.machines, [end.machines or 0 for end in ends]),
        hours=_range(middle.hours, [end.hours for end in ends]),
        money=None if middle.money is None else _range(middle.money, [end.money or 0.0 for end in ends]),
    )


def _range(value: float, ends: list[float]) -> Range:
    """``value`` within its ends; since machines are whole, the value itself may lie outside the two ends."""
    return Range(value, min([value, *ends]), max([value, *ends])) if ends else Range(value, None, None)
