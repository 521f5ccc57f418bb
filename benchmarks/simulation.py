"""The statistics on simulated trials, whose truth is known: a machine that drifts, trials that scatter, and spikes.

python benchmarks/simulation.py [--sweeps 4000]
"""

from __future__ import annotations

import argparse
import functools
import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from runner.analysis.statistics import Ratio, paired_ratio
from runner.analysis.stopping import LEAST_ROUNDS, half_width
from runner.analysis.verdicts import FASTER, SLOWER, verdict_on


@dataclass(frozen=True)
class Machine:
    """How a machine spoils measurements, as standard deviations of log seconds.

    Attributes:
        drift: of the step from one trial to the next, a random walk: 2 % a trial is 10 % after 25.
        noise: of a trial.
        spikes: share of trials that something else disturbs, by 10 to 50 %.
    """

    drift: float = 0.02
    noise: float = 0.03
    spikes: float = 0.05


def rounds(machine: Machine, slowdown: float, draw: random.Random) -> Iterator[float]:
    """log(baseline seconds) − log(point seconds) of each round, for a point that is ``slowdown`` times as slow; without end."""
    level = 0.0
    while True:
        seconds = {}
        sides = ["baseline", "point"]
        draw.shuffle(sides)
        for side in sides:
            level += draw.gauss(0, machine.drift)
            disturbed = math.log(draw.uniform(1.1, 1.5)) if draw.random() < machine.spikes else 0.0
            truth = math.log(slowdown) if side == "point" else 0.0
            seconds[side] = level + draw.gauss(0, machine.noise) + disturbed + truth
        yield seconds["baseline"] - seconds["point"]


def ratio_after(n: int, machine: Machine, slowdown: float, draw: random.Random) -> Ratio:
    """The ratio of throughputs after ``n`` rounds."""
    source = rounds(machine, slowdown, draw)
    return paired_ratio([next(source) for _ in range(n)])


def until_precise(precision: float, most: int, machine: Machine, slowdown: float, draw: random.Random) -> Ratio:
    """The ratio when the interval has become narrow enough: the stopping rule of ``rigorous``."""
    seen: list[float] = []
    for difference in rounds(machine, slowdown, draw):
        seen.append(difference)
        if len(seen) >= LEAST_ROUNDS:
            ratio = paired_ratio(seen)
            if half_width(ratio) <= precision or len(seen) >= most:
                return ratio
    raise AssertionError


@dataclass(frozen=True)
class Tally:
    """Shares of many simulated sweeps.

    Attributes:
        excluded, robust_excluded: the interval excludes 1.
        covered, robust_covered: the interval covers the true ratio.
        found: the verdict is the right one of faster and slower.
        wrong: the verdict is the wrong one of the two, or either of them where there is no difference.
    """

    excluded: float
    robust_excluded: float
    covered: float
    robust_covered: float
    found: float
    wrong: float


def tally(ratios: list[Ratio], slowdown: float) -> Tally:
    """Compare what was concluded with the truth."""
    truth, n = 1 / slowdown, len(ratios)
    right = SLOWER if slowdown > 1 else FASTER if slowdown < 1 else ""
    verdicts = [verdict_on(ratio, more_is_better=True) for ratio in ratios]
    return Tally(
        excluded=sum(not ratio.low <= 1 <= ratio.high for ratio in ratios) / n,
        robust_excluded=sum(not ratio.robust_low <= 1 <= ratio.robust_high for ratio in ratios) / n,
        covered=sum(ratio.low <= truth <= ratio.high for ratio in ratios) / n,
        robust_covered=sum(ratio.robust_low <= truth <= ratio.robust_high for ratio in ratios) / n,
        found=sum(verdict == right for verdict in verdicts) / n,
        wrong=sum(verdict in {FASTER, SLOWER} and verdict != right for verdict in verdicts) / n,
    )


def one_after_the_other(n: int, machine: Machine, draw: random.Random) -> bool:
    """Whether all trials of one point, then all of an equal one, and a pooled t interval, show a difference."""
    level, sides = 0.0, []
    for _ in range(2):
        seen = []
        for _ in range(n):
            level += draw.gauss(0, machine.drift)
            disturbed = math.log(draw.uniform(1.1, 1.5)) if draw.random() < machine.spikes else 0.0
            seen.append(level + draw.gauss(0, machine.noise) + disturbed)
        sides.append(seen)
    pooled = math.sqrt(sum(statistics.variance(seen) for seen in sides) / n)
    return abs(statistics.fmean(sides[0]) - statistics.fmean(sides[1])) > 2.145 * pooled


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=4000)
    sweeps = parser.parse_args().sweeps
    machine, draw = Machine(), random.Random(1)  # noqa: S311
    table = Table(title=f"{sweeps} simulated sweeps each, nominal 5 %; {machine}", title_justify="left")
    for column in (
        "slowdown",
        "rounds",
        "t excl. 1",
        "rank excl. 1",
        "t covers",
        "rank covers",
        "verdict right",
        "verdict wrong",
    ):
        table.add_column(column, justify="right")
    for slowdown in (1.0, 1.03, 1.05, 1.10):
        for name, sample in (
            ("8", functools.partial(ratio_after, 8, machine, slowdown, draw)),
            ("20", functools.partial(ratio_after, 20, machine, slowdown, draw)),
            ("until ±2 %", functools.partial(until_precise, 0.02, 60, machine, slowdown, draw)),
        ):
            count = sweeps if name != "until ±2 %" else max(200, sweeps // 8)
            seen = tally([sample() for _ in range(count)], slowdown)
            shares = (seen.excluded, seen.robust_excluded, seen.covered, seen.robust_covered, seen.found, seen.wrong)
            table.add_row(f"{slowdown:.2f}", name, *(f"{share * 100:.1f} %" for share in shares))
    Console(width=130).print(table)
    naive = sum(one_after_the_other(8, machine, draw) for _ in range(sweeps)) / sweeps
    print(f"for comparison, point after point with a pooled t: {naive * 100:.1f} % false differences")


if __name__ == "__main__":
    main()
