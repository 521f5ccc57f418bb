"""What the benchmarks share: trials of two sides in turn, and a table of what was seen."""

from __future__ import annotations

import random
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from runner.config.options import NoSink, Sample, Tensorflow
from runner.config.registry import module_of
from runner.modes import ModePlan
from runner.modes.workers.runtime import ThreadLimits
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources import Image, images_of
from runner.trial.messages import Report, TrialPlan
from runner.trial.supervisor import Supervisor


def plan(
    mode: Any,
    *,
    workers: int,
    items: int,
    epochs: int = 1,
    warmup_epochs: int = 0,
    mode_module: str | None = None,
    task: Any = None,
    task_module: str | None = None,
    images: Sequence[Image] | None = None,
    intra_op: int = 1,
) -> TrialPlan:
    """A trial of ``mode``, by default of the TensorFlow task on the sample photographs."""
    pipeline = PipelinePlan(
        images=images_of(Sample(), 3) if images is None else images,
        source_module=module_of("source", "sample") if task_module is None else "empty_source",
        source=Sample(),
        task_module=task_module or module_of("task", "tensorflow"),
        task=task or Tensorflow(),
        sink_module=module_of("sink", "none"),
        sink=NoSink(),
    )
    limits = ThreadLimits(intra_op, intra_op)
    log = str(Path(tempfile.gettempdir()) / "benchmark.log")
    return TrialPlan(
        mode_module or module_of("mode", mode.name),
        ModePlan(mode, workers, limits, pipeline),
        items,
        epochs,
        warmup_epochs,
        log,
    )


def trial(supervisor: Supervisor, of: TrialPlan, timeout_s: float = 600) -> Report:
    """One trial; a benchmark has no use for one that fails."""
    outcome = supervisor.execute(of, timeout_s, lambda _: None)
    if outcome.report is None:
        raise SystemExit(f"a trial failed: {outcome.error}")
    return outcome.report


def work_s(report: Report) -> float:
    """Median over the timed epochs."""
    return statistics.median((epoch.finished_ns - epoch.released_ns) * 1e-9 for epoch in report.epochs)


def timed(supervisor: Supervisor, of: TrialPlan) -> float:
    """The work of one trial, seconds."""
    return work_s(trial(supervisor, of))


def in_turn(rounds: int, sides: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Every side once a round, in a fresh order: what drifts, drifts for all."""
    order = random.Random(0)  # noqa: S311
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        names = list(sides)
        order.shuffle(names)
        for name in names:
            seen[name].append(sides[name]())
    return seen


def show(title: str, unit: str, seen: dict[str, list[float]], against: str) -> None:
    """Minimum, median and maximum of each side, and the ratio to ``against`` round by round."""
    table = Table(title=title, title_justify="left")
    for column in ("", f"min {unit}", f"median {unit}", f"max {unit}", f"{against} ÷ this, median \\[min, max] over rounds"):
        table.add_column(column, justify="left" if not column else "right")
    for name, values in seen.items():
        ratios = sorted(base / value for base, value in zip(seen[against], values, strict=True))
        numbers = [f"{value:.4g}" for value in (min(values), statistics.median(values), max(values))]
        table.add_row(name, *numbers, f"{statistics.median(ratios):.3f} [{ratios[0]:.3f}, {ratios[-1]:.3f}]")
    Console(width=140).print(table)
