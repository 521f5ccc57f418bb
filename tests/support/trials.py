"""Trials executed by the arguments that a test cares about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from runner.config.options import BatchesOption, NoSink, Sample, Tensorflow
from runner.config.registry import module_of
from runner.modes import ModePlan
from runner.modes.workers.runtime import ThreadLimits
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.sources import Image
from runner.sweeps.consuming import batching_of, handing_over
from runner.trial.messages import Report, TrialPlan
from runner.trial.steps import ConsumerPlan
from runner.trial.supervisor import Event, Outcome, Supervisor


def ignore(_: Event) -> None:
    """Hear of an event and do nothing."""


class Trials:
    """Executes trials by the arguments that a test cares about."""

    def __init__(self, supervisor: Supervisor, images: Sequence[Image], log: Path) -> None:
        self._supervisor = supervisor
        self._images = images
        self.log = log

    def plan(
        self,
        mode: Any,
        *,
        workers: int = 2,
        items: int = 6,
        epochs: int = 1,
        warmup_epochs: int = 0,
        limits: tuple[int, int] = (1, 1),
        task: Any = None,
        task_module: str | None = None,
        images: Sequence[Image] | None = None,
        gil_probe: bool = False,
        source_module: str | None = None,
        source: Any = None,
        spool: str | None = None,
        consumer: BatchesOption | None = None,
        seed: int = 0,
    ) -> TrialPlan:
        task = task or Tensorflow()
        pipeline = PipelinePlan(
            images=self._images if images is None else images,
            source_module=source_module or module_of("source", "sample"),
            source=source or Sample(),
            task_module=task_module or module_of("task", "tensorflow"),
            task=task,
            sink_module=module_of("sink", "none"),
            sink=NoSink(),
        )
        batches = None if consumer is None else batching_of(consumer)
        mode_plan = ModePlan(
            mode if batches is None else handing_over(mode), workers, ThreadLimits(*limits), pipeline, spool, batches, seed
        )
        taker = None if consumer is None else ConsumerPlan(consumer.module(), consumer)
        module, log = module_of("mode", mode.name), str(self.log)
        return TrialPlan(module, mode_plan, items, epochs, warmup_epochs, log, gil_probe=gil_probe, consumer=taker)

    def outcome(
        self,
        mode: Any,
        *,
        timeout_s: float = 240,
        on_event: Callable[[Event], None] = ignore,
        supervisor: Supervisor | None = None,
        **arguments: Any,
    ) -> Outcome:
        return (supervisor or self._supervisor).execute(self.plan(mode, **arguments), timeout_s, on_event)

    def report(self, mode: Any, **arguments: Any) -> Report:
        outcome = self.outcome(mode, **arguments)
        assert outcome.error is None, f"{outcome.error}\n{outcome.error.remote_traceback}"
        assert outcome.report is not None
        return outcome.report
