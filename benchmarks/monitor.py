"""What the monitor costs: trials with it on and off in turn, their throughput, and the CPU seconds that it used itself.

python benchmarks/monitor.py [--rounds 16] [--mode thread] [--only standard]
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
import statistics
from collections.abc import Callable

from side_by_side import in_turn, plan, show, work_s

from runner.analysis.statistics import paired_ratio
from runner.config.options import Monitor, Process, Thread
from runner.host.gpu import Gpus
from runner.monitor.sampler import Sampler
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor

MONITORS = {
    "off": Monitor(enabled=False),
    "standard": Monitor(),
    "fine": Monitor(interval_s=0.02, memory_interval_s=0.5, cost_limit_pct=5.0),
    "gil_probe": Monitor(enabled=False, gil_probe=True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--images", type=int, default=150, help="in an epoch; a trial has three")
    parser.add_argument("--mode", choices=("thread", "process"), default="thread")
    parser.add_argument("--only", choices=tuple(name for name in MONITORS if name != "off"), help="this one against off")
    arguments = parser.parse_args()
    mode = {"thread": Thread(), "process": Process()}[arguments.mode]
    supervisor, gpus = Supervisor(), Gpus()
    supervisor.warm()
    cost: dict[str, list[float]] = {name: [] for name in MONITORS}

    def images_per_s(name: str, option: Monitor) -> float:
        sampler = Sampler(option, gpus)

        def hear(event: Event) -> None:
            if isinstance(event, Phase):
                sampler.on_phase(event.name, event.pids)

        of = plan(mode, workers=4, items=arguments.images, epochs=3, warmup_epochs=1)
        sampler.start()
        outcome = supervisor.execute(dataclasses.replace(of, gil_probe=option.gil_probe), 600, hear)
        watched = sampler.stop()
        if outcome.report is None:
            raise SystemExit(f"a trial failed: {outcome.error}")
        if (share_pct := watched.record(option)["cpu_pct_of_a_core"]) is not None:
            cost[name].append(share_pct)
        return float(arguments.images / work_s(outcome.report))

    sides: dict[str, Callable[[], float]] = {
        name: functools.partial(images_per_s, name, option)
        for name, option in MONITORS.items()
        if arguments.only in {None, name} or name == "off"
    }
    seen = in_turn(arguments.rounds, sides)
    show(f"throughput, mode={arguments.mode} with 4 workers", "images/s", seen, "off")
    for name in sides:
        if name == "off":
            continue
        ratio = paired_ratio([math.log(on / off) for on, off in zip(seen[name], seen["off"], strict=True)])
        print(
            f"{name}: {statistics.median(cost[name]):.2f} % of a core; throughput {ratio.robust_ratio:.4f} of that without, "
            f"95 % interval [{ratio.robust_low:.4f}, {ratio.robust_high:.4f}]"
        )


if __name__ == "__main__":
    main()
