"""What throughput cannot exceed, as far as the record shows, and which of these bounds binds.

Each bound is an instance of the utilisation law, X ≤ m / D: a resource of m servers that each image needs for D seconds serves at most
m / D images a second (Denning & Buzen, The Operational Analysis of Queueing Network Models, 1978).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from runner.config.registry import mode_of
from runner.record.reading import PointRecord, good_trials, value_of
from runner.record.trial_schema import GoodTrial

# What may bound throughput, and how it follows from the record.
KINDS = {
    "CPUs": "CPUs that may be used ÷ CPU seconds an image",
    "workers": "workers ÷ an image's latency with the fewest workers of its kind",
    "return path": "1 ÷ CPU seconds an image of the one thread that takes results back",
    "interpreter lock": "throughput ÷ the share of the time in which the lock was held",
}

# A bound binds where throughput comes at least so near to it.
BINDS = 0.85


@dataclass(frozen=True)
class Bound:
    """One thing that throughput cannot exceed.

    Attributes:
        what: one of ``KINDS``.
        images_per_s: the most it allows.
    """

    what: str
    images_per_s: float


@dataclass(frozen=True)
class Bounds:
    """Those of one point.

    Attributes:
        images_per_s: what was measured, the median over trials.
        bounds: the lowest first; empty where the record shows none.
    """

    images_per_s: float
    bounds: Sequence[Bound]

    @property
    def reached(self) -> float | None:
        """Throughput ÷ the lowest bound."""
        return self.images_per_s / self.bounds[0].images_per_s if self.bounds else None

    @property
    def binding(self) -> bool:
        """Whether throughput comes to the lowest bound, as nearly as ``BINDS``."""
        return self.reached is not None and self.reached >= BINDS

    @property
    def verdict(self) -> str:
        """Which bound binds, in words."""
        if self.reached is None:
            return "not known"
        nearest = f"{self.bounds[0].what}, {self.reached * 100:.0f} %"
        return nearest if self.binding else f"none; nearest: {nearest}"


def bounds_of(point: PointRecord, alone: PointRecord | None) -> Bounds | None:
    """The bounds of a point; None where it has no figures.

    Args:
        point: whose bounds.
        alone: the point of the same kind with the fewest workers: the time of an image with the least interference between workers.
    """
    measured, trials = value_of(point, "images_per_s"), good_trials(point)
    if measured is None or not trials:
        return None
    candidates = [_cpus(point, trials), _workers(point, alone), _return_path(trials), _lock(trials, measured)]
    bounds = [bound for bound in candidates if bound is not None]
    return Bounds(measured, sorted(bounds, key=lambda bound: bound.images_per_s))


def service_s(point: PointRecord) -> float | None:
    """Worker-seconds an image: the stages' sum ÷ images, the median over all timed epochs."""
    every = [
        (epoch["read_s"] + epoch["task_s"] + epoch["sink_s"]) / epoch["images_ok"]
        for trial in good_trials(point)
        for epoch in trial["epochs"]
        if epoch["images_ok"]
    ]
    return statistics.median(every) if every else None


def _cpus(point: PointRecord, trials: Sequence[GoodTrial]) -> Bound | None:
    cost_s = value_of(point, "cpu_s_per_image")
    if not cost_s:
        return None
    cpus = statistics.median(trial["cpus_usable"] for trial in trials)
    return Bound("CPUs", cpus / cost_s)


def _workers(point: PointRecord, alone: PointRecord | None) -> Bound | None:
    if alone is None or (latency_s := service_s(alone)) is None or latency_s <= 0:
        return None
    return Bound("workers", images_at_once(point) / latency_s)


def images_at_once(point: PointRecord) -> int:
    """How many images the point handles at the same time, at most."""
    config = point.record["config"]
    return mode_of(config).threads(int(config["workers"]))


def _return_path(trials: Sequence[GoodTrial]) -> Bound | None:
    costs = [
        cpu_s / images
        for trial in trials
        for epoch in trial["epochs"]
        if (cpu_s := epoch.get("collect_cpu_s")) and (images := epoch["images_ok"] + epoch["images_failed"])
    ]
    if not costs:
        return None
    return Bound("return path", 1 / statistics.median(costs))


def _lock(trials: Sequence[GoodTrial], images_per_s: float) -> Bound | None:
    held = [gil["held_pct"] for trial in trials if (gil := trial.get("gil")) and gil["held_pct"]]
    if not held:
        return None
    return Bound("interpreter lock", images_per_s / (statistics.median(held) / 100))
