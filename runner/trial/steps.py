"""The consumer's side of a trial: takes a batch, is busy with it, takes the next, and keeps when."""

from __future__ import annotations

import threading
import traceback
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from time import perf_counter_ns, thread_time
from typing import Any

from runner.errors import TrialError, TrialFailed, first_line
from runner.modes import ModePlan
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.consumers import Consumer
from runner.trial.epoch_clock import EpochClock
from runner.trial.feeding import Feed


@dataclass(frozen=True)
class ConsumerPlan:
    """What a consumer is built from: the module that provides it, and its option."""

    module: str
    option: Any


def _numbers() -> array[int]:
    return array("q")


@dataclass
class Steps:
    """The steps of one pass, each with its times in nanoseconds on the clock that all processes of a machine share.

    Attributes:
        released_ns: when the workers were released.
        asked: when the consumer began to wait for the batch.
        taken: when it had the batch.
        ended: when it was done with it.
        images: how many results were in it.
        ready: how many more batches were ready then.
        cpu_s: CPU seconds of the consumer's thread over the pass.
    """

    released_ns: int = 0
    asked: array[int] = field(default_factory=_numbers)
    taken: array[int] = field(default_factory=_numbers)
    ended: array[int] = field(default_factory=_numbers)
    images: array[int] = field(default_factory=_numbers)
    ready: array[int] = field(default_factory=_numbers)
    cpu_s: float = 0.0

    def __len__(self) -> int:
        return len(self.asked)

    def add(self, asked_ns: int, taken_ns: int, ended_ns: int, images: int, ready: int) -> None:
        """Add a step."""
        self.asked.append(asked_ns)
        self.taken.append(taken_ns)
        self.ended.append(ended_ns)
        self.images.append(images)
        self.ready.append(ready)


@dataclass(frozen=True)
class ConsumerReport:
    """What the consumer did.

    Attributes:
        build_s: how long it took to build it, imports included.
        warmup_steps: how many first steps of each pass do not count.
        passes: the steps of each timed pass.
        outcome: what came of all steps.
    """

    build_s: float
    warmup_steps: int
    passes: tuple[Steps, ...]
    outcome: Mapping[str, Any]


class Feeding:
    """Feeds the consumer of a trial, pass by pass.

    Args:
        plan: of the consumer.
        mode: what the mode was built from.
        tensorflow_runs: whether this process has started TensorFlow's runtime.
    """

    def __init__(self, plan: ConsumerPlan, mode: ModePlan, *, tensorflow_runs: bool) -> None:
        assert mode.batches is not None  # noqa: S101  (made where the consumer's plan is made)
        began = perf_counter_ns()
        module = import_module(plan.module)
        if plan.option.uses_tensorflow and not tensorflow_runs:
            start_runtime(mode.limits)
        self.consumer: Consumer = module.PROVIDES(plan.option)
        self._build_s = (perf_counter_ns() - began) * 1e-9
        self._batches = mode.batches
        self._window = mode.batches.window(mode.mode.threads(mode.workers), getattr(mode.mode, "chunksize", None))
        self._warmup_steps: int = plan.option.warmup_steps
        self._timed: list[Steps] = []

    def clock(self, clock: EpochClock, items: int, *, timed: bool) -> FedClock:
        """The clock of a pass in which the consumer is fed."""
        steps = Steps()
        if timed:
            self._timed.append(steps)
        return FedClock(clock, Feed(self._batches, self._window), self.consumer, items, steps)

    def report(self) -> ConsumerReport:
        """What the consumer did; asked while no epoch is timed."""
        return ConsumerReport(self._build_s, self._warmup_steps, tuple(self._timed), dict(self.consumer.outcome()))


class FedClock:
    """The clock of an epoch whose results are consumed: the epoch ends when the consumer is done with the last batch.

    Attributes:
        intake: takes the results.
    """

    def __init__(self, clock: EpochClock, feed: Feed, consumer: Consumer, items: int, steps: Steps) -> None:
        self.intake = feed
        self.progress = clock.progress
        self._clock, self._consumer, self._items, self._steps = clock, consumer, items, steps
        self._thread = threading.Thread(target=self._consume, name="consumer", daemon=True)

    def released(self) -> None:
        self._thread.start()
        self._clock.released()
        self._steps.released_ns = self._clock.released_ns

    def finished(self) -> None:
        self.intake.end(self._items)
        self._thread.join()
        self.intake.check()
        self._clock.finished()

    def _consume(self) -> None:
        steps, step, take, now_ns = self._steps, self._consumer.step, self.intake.take, perf_counter_ns
        try:
            while True:
                asked_ns = now_ns()
                if (taken := take()) is None:
                    steps.cpu_s = thread_time()
                    return
                taken_ns, (batch, ready) = now_ns(), taken
                step(batch.array)
                steps.add(asked_ns, taken_ns, now_ns(), len(batch), ready)
        except TrialError as error:
            self.intake.fail(error)
        except BaseException as error:  # carried to whoever brings results, and with it the trial fails
            reason = f"step {len(steps)} of the consumer: {type(error).__name__}: {first_line(error)}"
            self.intake.fail(TrialFailed(reason, kind="ConsumerFailed", remote_traceback=traceback.format_exc()))
