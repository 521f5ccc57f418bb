"""What a trial costs beyond its own start-up, work and teardown, and what an image costs beyond its stages.

python benchmarks/overhead.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import functools
import statistics
from collections.abc import Callable
from time import perf_counter

from empty_task import Empty
from side_by_side import plan, show, trial, work_s

from runner.config.options import Process, Sequential, Thread, ThreadPool
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    supervisor = Supervisor()
    supervisor.warm()

    def beyond_s(mode: Thread | ThreadPool | Process) -> float:
        began = perf_counter()
        report = trial(supervisor, plan(mode, workers=15, items=15, epochs=3))
        worked = sum((epoch.finished_ns - epoch.released_ns) * 1e-9 for epoch in report.epochs)
        return perf_counter() - began - report.startup_s - worked - report.teardown_s

    sides: dict[str, Callable[[], float]] = {
        mode.name: functools.partial(beyond_s, mode) for mode in (Thread(), ThreadPool(), Process())
    }
    seen: dict[str, list[float]] = {name: [side() for _ in range(rounds)] for name, side in sides.items()}
    show("a trial beyond its start-up, work and teardown (15 workers)", "s", seen, "thread")

    items = 200_000
    empty = plan(Sequential(), workers=1, items=items, epochs=5, task=Empty(), task_module="empty_task")
    cost = [work_s(trial(supervisor, empty)) / items * 1e6 for _ in range(3)]
    print(f"stamps and record of an image: {statistics.median(cost):.2f} µs (sequential, empty task)")


if __name__ == "__main__":
    main()
