"""A million items through the pools: what an item costs, and how much memory the trial needs, against fifteen items.

python benchmarks/million.py [--items 1000000] [--workers 4]
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from empty_task import Empty
from rich.console import Console
from rich.table import Table
from side_by_side import plan, work_s

from runner.config.options import Monitor, ProcessPool, ThreadPool
from runner.host.gpu import Gpus
from runner.monitor.sampler import Sampler
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=4)
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    for mode in (ThreadPool(), ProcessPool()):
        table = Table(title=f"{mode.name}, {arguments.workers} workers, empty items", title_justify="left")
        for column in ("items", "µs an item", "largest resident memory of all processes, MB", "more than with 15, MB"):
            table.add_column(column, justify="right")
        least = 0.0
        for items in (15, arguments.items // 100, arguments.items // 10, arguments.items):
            seconds, megabytes = _measured(supervisor, mode, arguments.workers, items)
            least = least or megabytes
            table.add_row(str(items), f"{seconds / items * 1e6:.2f}", f"{megabytes:.1f}", f"{megabytes - least:.1f}")
        Console(width=130).print(table)


def _measured(supervisor: Supervisor, mode: Any, workers: int, items: int) -> tuple[float, float]:
    """Seconds of the median epoch, and the largest sum of resident memory that was seen at any time."""
    sampler = Sampler(Monitor(interval_s=0.02, cost_limit_pct=100), Gpus())

    def heard(event: Event) -> None:
        if isinstance(event, Phase):
            sampler.on_phase(event.name, event.pids)

    with tempfile.TemporaryDirectory() as folder:
        of = plan(mode, workers=workers, items=items, epochs=3, task=Empty(), task_module="empty_task")
        of = dataclasses.replace(of, mode=dataclasses.replace(of.mode, spool=str(Path(folder) / "spool")))
        sampler.start()
        outcome = supervisor.execute(of, 600, heard)
        watched = sampler.stop()
    if outcome.report is None:
        raise SystemExit(f"a trial failed: {outcome.error}")
    return work_s(outcome.report), max(sample.rss_bytes or 0 for sample in watched.taken) / 1e6


if __name__ == "__main__":
    main()
