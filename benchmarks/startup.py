"""How long until N real processes with TensorFlow are ready, and what memory they take: the default start method against spawn.

python benchmarks/startup.py [--rounds 2] [--workers 15]
"""

from __future__ import annotations

import argparse
import functools

from side_by_side import in_turn, plan, show, trial

from runner.config.options import Process, StartMethod
from runner.trial.messages import Report
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=15)
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    reports: dict[str, list[Report]] = {}

    def startup_s(method: StartMethod) -> float:
        mode = Process(start_method=method)
        report = trial(supervisor, plan(mode, workers=arguments.workers, items=arguments.workers))
        reports.setdefault(method.value, []).append(report)
        return report.startup_s

    sides = {method.value: functools.partial(startup_s, method) for method in (StartMethod.spawn, StartMethod.auto)}
    show(f"{arguments.workers} processes ready", "s", in_turn(arguments.rounds, sides), "spawn")
    memory = {name: [(report.footprint.memory_bytes or 0) / 1e6 for report in reports[name]] for name in sides}
    show("memory with shared pages counted once", "MB", memory, "spawn")
    first = {
        name: [
            report.startup_s + (report.epochs[0].finished_ns - report.epochs[0].released_ns) * 1e-9 for report in reports[name]
        ]
        for name in sides
    }
    show("ready, and a first image through each", "s", first, "spawn")


if __name__ == "__main__":
    main()
