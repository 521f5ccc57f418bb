"""``consumer=emulated`` and the accelerators by name: a step that takes its time, and does nothing with the batch."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runner.config.options import Busy, Emulated, StepTime

# How often the speed of the work is measured, and how long each time in seconds. The fastest counts: nothing disturbed it.
_LOOKS, _LOOK_S = 5, 0.01

# How many matrices are multiplied at once, and their rows: so few that BLAS does not give a product to several threads.
_MATRICES, _ROWS = 16, 64


class EmulatedStep:
    """Sleeps for the time of a step, or does as much work as takes that long where nothing disturbs it.

    The work is fixed, not the time: a loader that takes the CPU or the interpreter lock away makes the step longer.
    """

    def __init__(self, config: Emulated) -> None:
        self._time = StepTime.of(config.step_s)
        self._chance = random.Random(config.seed)  # noqa: S311  (nothing is to be kept secret)
        self._be_busy = time.sleep if config.busy is Busy.sleep else _working(_WORK[config.busy]())

    def step(self, batch: Any) -> None:  # noqa: ARG002  (only its arrival matters)
        self._be_busy(self._next_s())

    def outcome(self) -> Mapping[str, Any]:
        return {}

    def _next_s(self) -> float:
        median_s, sigma = self._time.median_s, self._time.sigma
        return self._chance.lognormvariate(math.log(median_s), sigma) if sigma else median_s


def _working(work: Callable[[int], None]) -> Callable[[float], None]:
    """A function that does as many units of ``work`` as take some seconds, by the speed of now."""
    units_per_s = max(_speed(work) for _ in range(_LOOKS))
    return lambda seconds: work(max(1, round(seconds * units_per_s)))


def _speed(work: Callable[[int], None]) -> float:
    """Units a second, from a look that doubles its units until it has lasted long enough."""
    units, began = 1, time.perf_counter()
    work(units)
    while (took_s := time.perf_counter() - began) < _LOOK_S:
        units, began = units * 2, time.perf_counter()
        work(units)
    return units / took_s


def _python() -> Callable[[int], None]:
    """Work that holds the interpreter lock; a unit is a few tens of microseconds."""

    def work(units: int) -> None:
        for _ in range(units):
            total = 0
            for number in range(1000):
                total += number

    return work


def _blas() -> Callable[[int], None]:
    """Matrix products on one core, without the interpreter lock; a unit is a few tenths of a millisecond."""
    one = np.ones((_MATRICES, _ROWS, _ROWS), np.float32)
    product = np.empty_like(one)

    def work(units: int) -> None:
        for _ in range(units):
            np.matmul(one, one, out=product)

    return work


_WORK: Mapping[Busy, Callable[[], Callable[[int], None]]] = {Busy.python: _python, Busy.blas: _blas}

PROVIDES = EmulatedStep
