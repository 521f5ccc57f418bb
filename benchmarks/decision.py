"""Trials and seconds until the best of twenty real points is known to 5 %: by a race, by ``protocol=rigorous``, and as it is done otherwise.

Each point burns a known CPU time an image, so that the best is known, and what is more than 5 % slower than it. Otherwise: each point a fixed number of
times, one point after the other, and the best by its mean; it is known where the pooled t interval leaves no room for more than 5 %.

python benchmarks/decision.py [--sweeps 3] [--points 20] [--images 50] [--limit-s 900] [--ways race rigorous otherwise]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from burning_task import Burn
from rich.console import Console
from rich.table import Table
from scipy import stats
from side_by_side import plan, trial

from runner.analysis.best import moments, standing
from runner.analysis.racing import Rules, race
from runner.analysis.stopping import LEAST_ROUNDS
from runner.config.options import Protocol, Sequential
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor

# CPU seconds that an image of the best point takes.
BASE_S = 0.004

INDIFFERENCE = 0.05

# ``protocol=rigorous``, and how often each point is run otherwise.
RIGOROUS = Protocol(rounds=8, epochs=10, warmup_epochs=2, precision=0.02, max_rounds=60)
TIMES = 10


@dataclass
class Bench:
    """Real trials of points whose truth is known.

    Attributes:
        slowdowns: of each point, 1 for the best.
        images: in an epoch.
        limit_s: no further trial is started after so many seconds.
        trials: so many have been run.
    """

    slowdowns: Sequence[float]
    images: int
    limit_s: float
    supervisor: Supervisor
    order: random.Random
    trials: int = 0
    began: float = field(default_factory=time.perf_counter)

    def late(self) -> bool:
        """Whether the time is over."""
        return time.perf_counter() - self.began > self.limit_s

    def log_rate(self, point: int, epochs: int, warmup_epochs: int) -> float:
        """The logarithm of a trial's images a second."""
        self.trials += 1
        report = trial(self.supervisor, self._plan(self.slowdowns[point], epochs, warmup_epochs))
        seconds = statistics.median((epoch.finished_ns - epoch.released_ns) * 1e-9 for epoch in report.epochs)
        return math.log(self.images / seconds)

    def _plan(self, slowdown: float, epochs: int, warmup_epochs: int) -> TrialPlan:
        task = Burn(BASE_S * slowdown)
        return plan(
            Sequential(), workers=1, items=self.images, epochs=epochs, warmup_epochs=warmup_epochs, task=task, task_module="burning_task"
        )  # fmt: skip

    def one_round(self, points: Sequence[int], epochs: int, warmup_epochs: int) -> list[float]:
        """A trial of each of these points in random order; nan for the others."""
        logs = [math.nan] * len(self.slowdowns)
        for point in self.order.sample(points, len(points)):
            logs[point] = self.log_rate(point, epochs, warmup_epochs)
        return logs


# A way: the point that it takes, and its bound below the best, as a logarithm.
Way = Callable[[Bench], tuple[int, float]]


def by_race(bench: Bench) -> tuple[int, float]:
    """``protocol=race``."""
    rows = [bench.one_round(range(len(bench.slowdowns)), 1, 1)]
    while True:
        look = race(np.array(rows), Rules(INDIFFERENCE)).looks[-1]
        if look.over or len(rows) >= RIGOROUS.max_rounds or bench.late():
            return look.leader, look.bound
        rows.append(bench.one_round(look.inside, 1, 1))


def by_rigorous(bench: Bench) -> tuple[int, float]:
    """``protocol=rigorous``: until every ratio to the first point is within its precision; then the best by Hsu's bound."""
    rows: list[list[float]] = []
    points = range(len(bench.slowdowns))
    while len(rows) < RIGOROUS.max_rounds and not bench.late():
        rows.append(bench.one_round(points, RIGOROUS.epochs, RIGOROUS.warmup_epochs))
        if len(rows) >= LEAST_ROUNDS and _widest(np.array(rows)) <= (RIGOROUS.precision or 0.0):
            break
    stands = standing(moments(np.array(rows)))
    return stands.leader, float(stands.behind[stands.leader])


def _widest(logs: np.ndarray) -> float:
    """The half width of the widest of the intervals of the others' ratios to the first point."""
    gaps = logs[:, 1:] - logs[:, :1]
    t = stats.t.ppf(1 - 0.05 / 2 / gaps.shape[1], len(gaps) - 1)
    return float(np.expm1(t * gaps.std(0, ddof=1).max() / math.sqrt(len(gaps))))


def otherwise(bench: Bench) -> tuple[int, float]:
    """Each point ``TIMES`` times, one after the other; pooled t against each other one, uncorrected."""
    logs = [[bench.log_rate(point, 1, 1) for _ in range(TIMES)] for point in range(len(bench.slowdowns)) if not bench.late()]
    means = [statistics.fmean(one) for one in logs]
    best = max(range(len(logs)), key=means.__getitem__)
    spread = math.sqrt(statistics.fmean(statistics.variance(one) for one in logs))
    width = float(stats.t.ppf(0.95, 2 * TIMES - 2)) * spread * math.sqrt(2 / TIMES)
    return best, max((mean - means[best] + width for point, mean in enumerate(means) if point != best), default=0.0)


WAYS: Mapping[str, Way] = {"race": by_race, "rigorous": by_rigorous, "otherwise": otherwise}


def slowdowns(points: int) -> list[float]:
    """From 1 to 3, dense at the fast end, as workers and threads are on a curve that has become flat."""
    return [math.exp(math.log(3) * (place / (points - 1)) ** 2) for place in range(points)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweeps", type=int, default=3)
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--limit-s", type=float, default=900, help="of one sweep")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    arguments = parser.parse_args()
    supervisor, order = Supervisor(), random.Random(0)  # noqa: S311
    supervisor.warm(tensorflow=False)
    table = Table(title=f"{arguments.points} points, {arguments.sweeps} sweeps by each way, in turn", title_justify="left")
    for column in (
        "way",
        "trials, median [all]",
        "seconds, median [all]",
        "known to 5 %",
        "wrong: truly more than 5 % below the best",
    ):
        table.add_column(column)
    seen: dict[str, list[tuple[int, float, bool, bool]]] = {name: [] for name in arguments.ways}
    for _ in range(arguments.sweeps):
        truth = slowdowns(arguments.points)
        order.shuffle(truth)
        for name in order.sample(arguments.ways, len(arguments.ways)):
            bench = Bench(truth, arguments.images, arguments.limit_s, supervisor, order)
            chosen, bound = WAYS[name](bench)
            known, wrong = bound <= math.log1p(INDIFFERENCE), truth[chosen] > 1 + INDIFFERENCE
            seen[name].append((bench.trials, time.perf_counter() - bench.began, known, wrong))
    for name, sweeps in seen.items():
        trials, seconds = _spread([one[0] for one in sweeps]), _spread([one[1] for one in sweeps])
        table.add_row(name, trials, seconds, _rate([one[2] for one in sweeps]), _rate([one[3] for one in sweeps]))
    Console(width=150).print(table)


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} \\[{', '.join(f'{value:.0f}' for value in values)}]"


def _rate(cases: Sequence[bool]) -> str:
    ends = stats.binomtest(sum(cases), len(cases)).proportion_ci(0.95, method="exact")
    return f"{sum(cases)} of {len(cases)} \\[{ends.low:.0%}, {ends.high:.0%}]"


if __name__ == "__main__":
    main()
