"""``tf_data`` against the same pipeline written by hand.

python benchmarks/backends.py [--rounds 10] [--workers 2]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics

from side_by_side import in_turn, plan, show, trial, work_s

from runner.config.options import TfData
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=300)
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    settings = {"workers": arguments.workers, "items": arguments.images, "epochs": 3, "warmup_epochs": 1}
    ours = plan(TfData(), **settings)
    cpu: dict[str, list[float]] = {"by hand": [], "tf_data": []}

    def measured(name: str, of: TrialPlan) -> float:
        report = trial(supervisor, of)
        cpu[name].append(statistics.median(epoch.cpu_s for epoch in report.epochs) / arguments.images * 1e3)
        return float(work_s(report) / arguments.images * 1e3)

    by_hand = dataclasses.replace(ours, mode_module="bare_tf_data")
    seen = in_turn(
        arguments.rounds, {"by hand": lambda: measured("by hand", by_hand), "tf_data": lambda: measured("tf_data", ours)}
    )
    title = f"tf_data, {arguments.workers} workers, {arguments.images} photographs"
    show(title, "ms/image", seen, "by hand")
    show(f"{title}: CPU", "CPU ms/image", cpu, "by hand")


if __name__ == "__main__":
    main()
