"""What Ray costs: empty items through its workers, and the size of image from which they are as good as ``process_pool``.

python benchmarks/ray_overhead.py [--items 1000000] [--workers 2] [--rounds 5] [--sizes 32 64 ...] [--returns digest]

A cluster is started for each trial; what that takes is in no figure but those of the first table.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
from pathlib import Path
from typing import Any

import psutil
from empty_task import Empty
from rich.console import Console
from rich.table import Table
from side_by_side import in_turn, plan, show, trial, work_s

from runner.config.options import Execution, ProcessPool, Ray, Returns, Synthetic, Tensorflow
from runner.pipeline.sources import images_of
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event, Supervisor

ENOUGH = 0.95


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=[16, 32, 64, 128, 224, 448, 896, 1900])
    parser.add_argument("--returns", choices=[way.value for way in Returns], default="digest")
    arguments = parser.parse_args()
    supervisor = Supervisor()
    supervisor.warm()
    if arguments.items:
        _empty_items(supervisor, arguments.items, arguments.workers)
    ratios = [_against_the_pool(supervisor, arguments, size) for size in arguments.sizes]
    from_here = [size for at, size in enumerate(arguments.sizes) if min(ratios[at:]) >= ENOUGH]
    found = f"from {from_here[0]} x {from_here[0]} pixels on" if from_here else "at none of these sizes"
    if ratios:
        print(f"Ray's workers reach {ENOUGH} of process_pool's throughput {found} (mode.returns={arguments.returns})")


def _empty_items(supervisor: Supervisor, most: int, workers: int) -> None:
    table = Table(title=f"ray, {workers} workers, empty items", title_justify="left")
    for column in (
        "items",
        "µs an item",
        "largest resident memory of the driver, MB",
        "more than with 15, MB",
        "cluster s",
        "actors s",
    ):
        table.add_column(column, justify="right")
    least = 0.0
    for items in (15, most // 100, most // 10, most):
        report, megabytes = _watched(supervisor, workers, items)
        least = least or megabytes
        numbers = f"{work_s(report) / items * 1e6:.2f}", f"{megabytes:.1f}", f"{megabytes - least:.1f}"
        table.add_row(str(items), *numbers, *(f"{report.backend[name]:.1f}" for name in ("cluster_s", "actors_s")))
    Console(width=140).print(table)


def _watched(supervisor: Supervisor, workers: int, items: int) -> tuple[Report, float]:
    """A trial, and the most memory that its process ever had resident, in 10^6 bytes."""
    largest: list[float] = [0.0]

    def heard(event: Event) -> None:
        if isinstance(event, Phase):
            status = Path(f"/proc/{event.pids[0]}/status")
            if status.exists():
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
                largest[0] = int(lines["VmHWM"].split()[0]) * 1024e-6
            else:
                largest[0] = max(largest[0], psutil.Process(event.pids[0]).memory_info().rss / 1e6)

    with tempfile.TemporaryDirectory() as folder:
        of = plan(Ray(), workers=workers, items=items, epochs=3, task=Empty(), task_module="empty_task")
        of = dataclasses.replace(of, mode=dataclasses.replace(of.mode, spool=str(Path(folder) / "spool")))
        outcome = supervisor.execute(of, 600, heard)
    if outcome.report is None:
        raise SystemExit(f"a trial failed: {outcome.error}")
    return outcome.report, largest[0]


def _against_the_pool(supervisor: Supervisor, arguments: argparse.Namespace, size: int) -> float:
    """Ray's throughput over that of ``process_pool``, median over rounds, on photographs of this size."""
    images = images_of(Synthetic(width=size, height=size), 3)
    items = 300 if size > 1000 else 600
    returns = Returns(arguments.returns)
    task = Tensorflow(execution=Execution.graph)

    def measured(mode: Any) -> float:
        of = plan(mode, workers=arguments.workers, items=items, epochs=3, warmup_epochs=1, images=images, task=task)
        return work_s(trial(supervisor, of)) / items * 1e6

    pool, ray = ProcessPool(returns=returns), Ray(returns=returns)
    seen = in_turn(arguments.rounds, {"process_pool": lambda: measured(pool), "ray": lambda: measured(ray)})
    show(f"photographs of {size} x {size} pixels, {arguments.workers} workers", "µs/image", seen, "process_pool")
    ratios = [pool_us / ray_us for pool_us, ray_us in zip(seen["process_pool"], seen["ray"], strict=True)]
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
