"""The modes that are other libraries' loaders against a bare loop over each, as its documentation writes it, on the same images.

python benchmarks/backends.py [--rounds 10] [--workers 2] [--modes tf_data torch keras grain spdl]
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from typing import Any

from side_by_side import in_turn, plan, show, trial, work_s

from runner.config.registry import options
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--modes", nargs="+", default=["tf_data", "torch", "keras", "grain", "spdl"])
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    for name in arguments.modes:
        compare(supervisor, options()["mode"][name](), arguments.rounds, arguments.workers, arguments.images)


def compare(supervisor: Supervisor, mode: Any, rounds: int, workers: int, images: int) -> None:
    """Trials of a mode and of the bare loop in turn, and both tables: time and CPU seconds of an image."""
    ours = plan(mode, workers=workers, items=images, epochs=3, warmup_epochs=1)
    by_hand = dataclasses.replace(ours, mode_module="bare_tf_data" if mode.name == "tf_data" else "bare_loaders")
    cpu: dict[str, list[float]] = {"by hand": [], mode.name: []}

    def measured(name: str, of: TrialPlan) -> float:
        report = trial(supervisor, of)
        cpu[name].append(statistics.median(epoch.cpu_s for epoch in report.epochs) / images * 1e3)
        return float(work_s(report) / images * 1e3)

    seen = in_turn(rounds, {"by hand": lambda: measured("by hand", by_hand), mode.name: lambda: measured(mode.name, ours)})
    title = f"{mode.name}, {workers} workers, {images} photographs"
    show(title, "ms/image", seen, "by hand")
    if mode.name != "torch":  # the bare loop's workers come after the trial has said who they are
        show(f"{title}: CPU", "CPU ms/image", cpu, "by hand")


if __name__ == "__main__":
    main()
