"""Executes points: in rounds, one trial of every point in each, in a fresh random order."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from runner.errors import TrialFailed
from runner.monitor.gpu import Gpus
from runner.monitor.sampler import Sample, Sampler
from runner.monitor.series import Series
from runner.point import Point
from runner.results import image_errors, trial_record
from runner.supervisor import Event, Outcome, Supervisor
from runner.trial.messages import Phase

log = logging.getLogger("runner")

# How long the host is looked at before the first trial, in seconds.
_LOOK_S = 0.2


class Display(Protocol):
    """What wants to hear how the session goes."""

    def trial_starts(self, point: Point, number: int) -> None:
        """A trial of ``point``, in round ``number``."""

    def event(self, point: Point, event: Event) -> None:
        """The trial is in another phase, or has come further in this one."""

    def trial_ends(self, point: Point, trial: dict[str, Any]) -> None:
        """The trial has this record."""


class Session:
    """The trials of some points, in this process, one at a time.

    Attributes:
        gpus: of this machine.
        idle_cpu_pct: how busy the host was before the first trial, 100 is all CPUs; None before ``run``.

    Args:
        points: what to execute; their folders exist.
        seed: orders the trials.
        supervisor: starts the trials; a new one if None.
    """

    def __init__(self, points: Sequence[Point], seed: int, display: Display, supervisor: Supervisor | None = None) -> None:
        self._points = points
        self._random = random.Random(seed)  # noqa: S311  (an order of trials is no secret)
        self._display = display
        self._supervisor = supervisor or Supervisor()
        self.gpus = Gpus()
        self.idle_cpu_pct: float | None = None
        for point in points:
            point.gpus = len(self.gpus.names)

    @property
    def trials_in_all(self) -> int:
        return sum(point.config.protocol.rounds for point in self._points)

    def run(self) -> None:
        """Every trial of every point; a point that has failed is not tried again, the others go on.

        Raises:
            KeyboardInterrupt: the user wants to stop. What has been measured is on disk.
        """
        self._supervisor.warm()
        self.idle_cpu_pct = psutil.cpu_percent(interval=_LOOK_S)
        for number in range(max(point.config.protocol.rounds for point in self._points)):
            due = [point for point in self._points if number < point.config.protocol.rounds]
            self._random.shuffle(due)
            for order, point in enumerate(due):
                if point.error is None:
                    self._trial(point, number, order)

    def _trial(self, point: Point, number: int, order: int) -> None:
        self._display.trial_starts(point, number)
        with _logging_to(point.folder / "runner.log"):
            log.info("round %d: %s", number, point.name)
            wall_offset_s = time.time() - time.perf_counter()
            outcome, samples = self._watched(point)
            outcome = _judged(outcome)
            point.series.append(Series(number, wall_offset_s, samples))
            trial = trial_record(number, order, outcome, _peaks(samples), wall_offset_s)
            if outcome.report is not None:
                trial["image_errors"] = image_errors(outcome.report, point.images)
                point.write_images(number, outcome.report)
            point.trials.append(trial)
            point.write()
            if outcome.error is None:
                log.info("round %d: ok, startup %.3f s, work %.3f s", number, trial["startup_s"], trial["work_s"])
            else:
                log.error("round %d: %s: %s", number, trial["status"], outcome.error)
                if outcome.error.remote_traceback:
                    log.error("%s", outcome.error.remote_traceback.rstrip())
            for path, reason in trial["image_errors"].items():
                log.warning("round %d: %s failed: %s", number, path, reason)
        self._display.trial_ends(point, trial)

    def _watched(self, point: Point) -> tuple[Outcome, list[Sample]]:
        sampler = Sampler(point.config.monitor, self.gpus)

        def on_event(event: Event) -> None:
            if isinstance(event, Phase):
                sampler.on_phase(event)
            self._display.event(point, event)

        sampler.start()
        try:
            outcome = self._supervisor.execute(point.trial_plan(), point.config.protocol.timeout_s, on_event)
        finally:
            samples = sampler.stop()
        return outcome, samples


def _judged(outcome: Outcome) -> Outcome:
    """The outcome, failed if there was an epoch in which no image could be processed."""
    report = outcome.report
    if report is None or all(any(record.ok for record in epoch.records) for epoch in report.epochs):
        return outcome
    errors = next(epoch.records.errors for epoch in report.epochs if epoch.records.errors)
    error = TrialFailed(f"no image could be processed; the first error is {next(iter(errors.values()))}", kind="NoImage")
    return Outcome(report, error, outcome.phases)


def _peaks(samples: Sequence[Sample]) -> dict[str, int | None]:
    def peak(name: str) -> int | None:
        return max((value for sample in samples if (value := getattr(sample, name)) is not None), default=None)

    return {name: peak(name) for name in ("memory_bytes", "threads", "processes")}


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What this program logs goes to ``path`` as well; the trial's own processes write there too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
