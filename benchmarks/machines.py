"""Machines that spoil measurements, each in its own way: whole sweeps of simulated trials, whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """How a machine spoils the logarithm of throughput, as standard deviations where nothing else is said.

    Attributes:
        noise: of a trial.
        drift: of the machine's state, which returns to its mean within ``span`` trials.
        span: after how many trials the state is another one (correlation 1/e).
        tails: degrees of freedom of a trial's noise, Student's t at the same standard deviation; None for normal noise.
        spikes: share of trials that something else disturbs, by 10 to 50 %.
        slow_core: by how much a trial is slower that lands on the slow core, as every fourth does.
        neighbour: by how much all trials are slower while a neighbour is there, a quarter of the time, 15 trials on end.
        of_one: the same for the second point alone, 20 rounds on end, half of the time.
        uneven: how many times as noisy the first point is as the others.
    """

    noise: float = 0.05
    drift: float = 0.0
    span: float = 40.0
    tails: float | None = None
    spikes: float = 0.0
    slow_core: float = 0.0
    neighbour: float = 0.0
    of_one: float = 0.0
    uneven: float = 1.0


MACHINES: Mapping[str, Machine] = {
    "quiet": Machine(),
    "drift": Machine(drift=0.06),
    "fast drift": Machine(drift=0.06, span=4),
    "heavy tails": Machine(tails=3),
    "spikes": Machine(spikes=0.05),
    "slow core": Machine(slow_core=0.10),
    "neighbour": Machine(neighbour=0.15),
    "one point 3 times as noisy": Machine(uneven=3),
    "one point 10 times as noisy": Machine(noise=0.01, uneven=10),
    "everything": Machine(drift=0.06, tails=3, spikes=0.05, slow_core=0.10, neighbour=0.15, uneven=2),
}


@dataclass(frozen=True)
class Sweeps:
    """Simulated sweeps.

    Attributes:
        logs: sweeps × rounds × points: logarithms of throughput.
        orders: the same: the place of each trial in its round.
    """

    logs: Array
    orders: NDArray[np.int64]


def sweeps(machine: Machine, truth: Array, rounds: int, count: int, draw: np.random.Generator) -> Sweeps:
    """``count`` sweeps of so many rounds, each in a fresh random order; ``truth`` is the logarithm of each point's own throughput."""
    points = len(truth)
    shape = (count, rounds, points)
    orders = np.argsort(draw.random(shape), axis=2)
    state = _state(machine, count, rounds * points, draw).reshape(shape)
    noise = draw.standard_normal(shape)
    if machine.tails is not None:
        noise = draw.standard_t(machine.tails, shape) * np.sqrt((machine.tails - 2) / machine.tails)
    scale = np.full(points, machine.noise)
    scale[0] *= machine.uneven
    logs = truth + np.take_along_axis(state, orders, axis=2) + noise * scale
    logs -= (draw.random(shape) < machine.spikes) * np.log(draw.uniform(1.1, 1.5, shape))
    logs -= (draw.random(shape) < 0.25) * machine.slow_core
    if machine.of_one:
        logs[:, :, 1] -= _there(count, rounds, 20, 20, draw) * machine.of_one
    return Sweeps(logs, orders)


def _state(machine: Machine, count: int, trials: int, draw: np.random.Generator) -> Array:
    """The state of the machine at each trial."""
    state = np.zeros((count, trials))
    if machine.drift:
        kept = np.exp(-1 / machine.span)
        steps = draw.normal(0, machine.drift * np.sqrt(1 - kept**2), (count, trials))
        state[:, 0] = draw.normal(0, machine.drift, count)
        for trial in range(1, trials):
            state[:, trial] = kept * state[:, trial - 1] + steps[:, trial]
    if machine.neighbour:
        state -= _there(count, trials, 15, 45, draw) * machine.neighbour
    return state


def _there(count: int, steps: int, stays: float, away: float, draw: np.random.Generator) -> NDArray[np.bool_]:
    """Whether something that comes and goes is there at each step; it stays and is away for so many steps, on average."""
    there = np.zeros((count, steps), dtype=bool)
    there[:, 0] = draw.random(count) < stays / (stays + away)
    turns = draw.random((count, steps))
    for step in range(1, steps):
        there[:, step] = np.where(there[:, step - 1], turns[:, step] > 1 / stays, turns[:, step] < 1 / away)
    return there
