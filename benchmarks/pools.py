"""``thread_pool`` and ``process_pool`` against the standard library's bare executors: the same function, the same images.

python benchmarks/pools.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import functools

from bare_modes import Bare
from empty_task import Empty
from side_by_side import in_turn, plan, show, timed

from runner.config.options import ProcessPool, ThreadPool
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=4)
    rounds, workers = (arguments := parser.parse_args()).rounds, arguments.workers
    supervisor = Supervisor()
    supervisor.warm()
    for ours, bare in ((ThreadPool(), Bare("threads")), (ProcessPool(), Bare("processes"))):
        for what, items, options in (
            ("photographs", 120, {}),
            ("empty items", 50_000, {"task": Empty(), "task_module": "empty_task"}),
        ):
            settings = {"workers": workers, "items": items, "epochs": 5, "warmup_epochs": 1, **options}
            sides = {
                "bare": functools.partial(timed, supervisor, plan(bare, mode_module="bare_modes", **settings)),
                ours.name: functools.partial(timed, supervisor, plan(ours, **settings)),
            }
            seen = in_turn(rounds, sides)
            per_item = {name: [value / items * 1e6 for value in values] for name, values in seen.items()}
            show(f"{ours.name} against bare {bare.kind}, {workers} workers, {items} {what}", "µs/item", per_item, "bare")


if __name__ == "__main__":
    main()
