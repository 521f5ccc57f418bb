"""Gates of real trials whose truth is known: what is said of the same task twice, and of a task that is slower by a known amount.

Each side burns a known CPU time an image, or sleeps it away, which a busy machine disturbs less. A gate ends when it knows, or with its budget.

python benchmarks/gate.py [--equal 20] [--slowed 10] [--slowdown 1.05] [--limit 0.975] [--budget-s 120] [--images 50] [--task burn]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from collections import Counter
from collections.abc import Sequence

from burning_task import Burn
from rich.console import Console
from rich.table import Table
from side_by_side import plan, timed

from runner.analysis.gating import NOT_KNOWN, Judged, Limit, judge
from runner.config.options import Sequential
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor

# Seconds that an image of the old side takes.
BASE_S = 0.004


def gated(supervisor: Supervisor, sides: Sequence[TrialPlan], limit: Limit, budget_s: float, order: random.Random) -> Judged:
    """One gate of old and new: rounds in random order, until it is known, or no round is begun any more."""
    began, gaps = time.perf_counter(), list[float]()
    while True:
        logs = [0.0, 0.0]
        for side in order.sample((0, 1), 2):
            logs[side] = -math.log(timed(supervisor, sides[side]))
        gaps.append(logs[1] - logs[0])
        judged = judge(limit, gaps)
        if judged.verdict != NOT_KNOWN or time.perf_counter() - began > budget_s:
            return judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--equal", type=int, default=20)
    parser.add_argument("--slowed", type=int, default=10)
    parser.add_argument("--slowdown", type=float, default=1.05)
    parser.add_argument("--limit", type=float, default=0.975)
    parser.add_argument("--budget-s", type=float, default=120.0)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--task", choices=("burn", "sleep"), default="burn")
    arguments = parser.parse_args()

    def side(slowdown: float) -> TrialPlan:
        task, module = Burn(BASE_S * slowdown, sleeps=arguments.task == "sleep"), "burning_task"
        return plan(Sequential(), workers=1, items=arguments.images, epochs=3, warmup_epochs=1, task=task, task_module=module)

    table = Table(title=f"images_per_s<{arguments.limit:g}, budget {arguments.budget_s:g} s", title_justify="left")
    for column in (
        "new is slower by",
        "gates",
        "worse",
        "not worse",
        "not known",
        "rounds, median \\[least, most]",
        "seconds a gate",
    ):
        table.add_column(column, justify="right")
    supervisor, order = Supervisor(), random.Random(0)  # noqa: S311
    for slowdown, count in ((1.0, arguments.equal), (arguments.slowdown, arguments.slowed)):
        began = time.perf_counter()
        sides, limit = [side(1.0), side(slowdown)], Limit("images_per_s", arguments.limit)
        judged = [gated(supervisor, sides, limit, arguments.budget_s, order) for _ in range(count)]
        if not judged:
            continue
        said, rounds = Counter(one.verdict for one in judged), [one.rounds for one in judged]
        table.add_row(
            f"{slowdown - 1:.1%}",
            str(count),
            *(str(said[verdict]) for verdict in ("worse", "not worse", "not known")),
            f"{statistics.median(rounds):.0f} \\[{min(rounds)}, {max(rounds)}]",
            f"{(time.perf_counter() - began) / count:.1f}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
