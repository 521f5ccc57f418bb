"""Executes points: in rounds, one trial of every point in each, in a fresh random order."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from runner.errors import TrialError, TrialFailed
from runner.host_lock import host_lock
from runner.monitor.gpu import Gpus
from runner.monitor.gpu_record import gpu_record
from runner.monitor.host import HostState
from runner.monitor.sampler import Sampler
from runner.monitor.series import Series
from runner.point import Point
from runner.protocol.stopping import LEAST_ROUNDS
from runner.results import Seen, image_errors, trial_record
from runner.secrets import masked
from runner.services import serving
from runner.sinks import Destination
from runner.supervisor import Event, Outcome, Supervisor
from runner.trial.messages import Phase, Report
from runner.turns import Turn, Turns

log = logging.getLogger("runner")

# How long the host is looked at before the first trial, in seconds.
_LOOK_S = 0.2


class Display(Protocol):
    """What wants to hear how the session goes."""

    def tell(self, message: str) -> None:
        """Something that the user should know now."""

    def trial_starts(self, point: Point, number: int, left: int) -> None:
        """A trial of ``point``, in round ``number``; as far as is known by now, ``left`` trials are to come, with this one."""

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
        points: what to execute; their folders exist. Trials that they have already are not run again.
        seed: orders the trials.
        supervisor: starts the trials; a new one if None.
        fail_fast: whether to end at the first trial that fails.
        precise_enough: asked after each round of those points that have a precision to reach.
        turns: the part of these points in those of other processes on this host, which then has the host between the trials; None has it
            to itself from the first trial to the last.
    """

    def __init__(
        self,
        points: Sequence[Point],
        seed: int,
        display: Display,
        supervisor: Supervisor | None = None,
        *,
        fail_fast: bool = False,
        precise_enough: Callable[[Point], bool] = lambda _: True,
        turns: Turns | None = None,
    ) -> None:
        self._points = points
        self._seed = seed
        self._display = display
        self._supervisor = supervisor or Supervisor()
        self._fail_fast = fail_fast
        self._precise_enough = precise_enough
        self._turns = turns
        # With the host: two processes of two hosts may well have one id, and begin in one second.
        self._id = f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{socket.gethostname()}-{os.getpid()}"
        self.gpus = Gpus()
        self.idle_cpu_pct: float | None = None
        for point in points:
            point.gpus = len(self.gpus.devices)

    def run(self) -> None:
        """Every round of every point; a point that has failed is not tried again, the others go on.

        Raises:
            KeyboardInterrupt: the user wants to stop. What has been measured is on disk, the points know that they are not complete.
        """
        number = 0
        try:
            with contextlib.ExitStack() as alone:
                alone.enter_context(host_lock(self._display.tell))
                self._supervisor.warm()
                with contextlib.suppress(psutil.Error, OSError):  # where the system does not tell, it is not shown
                    self.idle_cpu_pct = psutil.cpu_percent(interval=_LOOK_S)
                if self._turns is not None:
                    alone.close()
                while due := [point for point in self._points if self._goes_on(point, number)]:
                    self._round(number, due)
                    number += 1
        except (KeyboardInterrupt, _FailFastError) as end:
            for point in self._points:
                if not point.has_failed and self._goes_on(point, len(point.trials)):
                    point.interrupted = True
                    point.write()
            if isinstance(end, KeyboardInterrupt):
                raise

    def _goes_on(self, point: Point, number: int) -> bool:
        """Whether ``point`` has a round of this number."""
        protocol = point.config.protocol
        if number < protocol.rounds or protocol.precision is None:
            return number < protocol.rounds
        if number < LEAST_ROUNDS:
            return True
        return number < protocol.max_rounds and not self._precise_enough(point)

    def _round(self, number: int, due: list[Point]) -> None:
        # By seed and number, so that a session that resumes has the order that was planned.
        random.Random(f"{self._seed}/{number}").shuffle(due)  # noqa: S311  (an order of trials is no secret)
        for order, point in enumerate(due):
            if point.has_failed or any(trial["round"] == number for trial in point.trials):
                continue
            self._display.trial_starts(point, number, self._left(number, due[order:]))
            with self._turn(number, order) as turn:
                trial = self._trial(point, number, turn)
            self._display.trial_ends(point, trial)
            if self._fail_fast and trial["status"] != "ok":
                self._display.tell("fail_fast: the sweep ends here")
                raise _FailFastError

    def _left(self, number: int, rest_of_round: Sequence[Point]) -> int:
        later = sum(max(0, point.config.protocol.rounds - number - 1) for point in self._points if not point.has_failed)
        return len([point for point in rest_of_round if not point.has_failed]) + later

    def _turn(self, number: int, order: int) -> contextlib.AbstractContextManager[Turn]:
        return contextlib.nullcontext(Turn(self._id, order)) if self._turns is None else self._turns.turn(number)

    def _trial(self, point: Point, number: int, turn: Turn) -> dict[str, Any]:
        with _logging_to(point.folder / "runner.log"):
            log.info("round %d: %s", number, point.name)
            wall_offset_s, started_at = time.time() - time.perf_counter(), time.time()
            outcome, seen = self._watched(point)
            outcome = _judged(outcome)
            trial = trial_record(number, turn.order, turn.session, outcome, seen=seen, wall_offset_s=wall_offset_s)
            trial |= {"started_at": started_at, "ended_at": time.time()}
            point.write_samples(Series(number, wall_offset_s, seen.watched.samples))
            if outcome.report is not None:
                trial["image_errors"] = image_errors(outcome.report, point.images)
                point.write_images(number, outcome.report)
            point.spool.unlink(missing_ok=True)
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
        return trial

    def _watched(self, point: Point) -> tuple[Outcome, Seen]:
        option = point.config.monitor
        sampler = Sampler(option, self.gpus)

        def on_event(event: Event) -> None:
            if isinstance(event, Phase):
                sampler.on_phase(event)
            self._display.event(point, event)

        with contextlib.ExitStack() as beside:
            try:
                served = beside.enter_context(serving(point.config, point.images, point.folder, point.id))
            except TrialError as error:
                return Outcome(None, error, ()), Seen.nothing(point.cpus_usable)
            before, began = HostState.now(), time.perf_counter()
            sampler.start()
            try:
                outcome = self._supervisor.execute(point.trial_plan(served), point.config.protocol.timeout_s, on_event)
            finally:
                watched = sampler.stop()
            after, wall_s = HostState.now(), time.perf_counter() - began
            delivery, problem = _delivered(served.destination, outcome.report, point.config.images)
        if outcome.error is None and problem is not None:
            outcome = Outcome(outcome.report, problem, outcome.phases)
        used_s = outcome.phases[-1].usage.cpu_s if outcome.phases else None
        if used_s is not None and outcome.report is not None:
            used_s -= sum(node["cpu_s"] or 0.0 for node in outcome.report.nodes if node["elsewhere"])
        ours_s = max(used_s or 0.0, watched.tree_cpu_s or 0.0) + (delivery or {}).get("receiver_cpu_s", 0.0) + served.cpu_s
        seen = Seen(
            watched=watched,
            monitor=watched.record(option),
            host=before.until(after, wall_s, ours_s),
            gpu=gpu_record(self.gpus, watched.samples, sampled=option.enabled),
            cpus_usable=point.cpus_usable,
            delivery=delivery,
            services=served.services,
        )
        return outcome, seen


def _delivered(destination: Destination, report: Report | None, items: int) -> tuple[dict[str, Any] | None, TrialError | None]:
    """What the record says of the results' delivery, and what the trial fails with if they did not all arrive."""
    if report is None:
        return None, None
    try:
        delivery = destination.check(report.sent, items)
    except Exception as error:  # drivers raise what their libraries raise
        return None, TrialFailed(f"sink: what arrived cannot be checked: {error}", kind=type(error).__name__)
    if delivery is None:
        return None, None
    problem = None if delivery.problem is None else TrialFailed(f"sink: {delivery.problem}", kind="NotDelivered")
    return delivery.record(), problem


def _judged(outcome: Outcome) -> Outcome:
    """The outcome, failed if there was an epoch in which no image could be processed."""
    report = outcome.report
    if report is None or all(any(record.ok for record in epoch.records) for epoch in report.epochs):
        return outcome
    errors = next(epoch.records.errors for epoch in report.epochs if epoch.records.errors)
    error = TrialFailed(f"no image could be processed; the first error is {next(iter(errors.values()))}", kind="NoImage")
    return Outcome(report, error, outcome.phases)


class _Masking(logging.Formatter):
    """Lines of a log, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


class _FailFastError(Exception):
    """A trial has failed, and the user wants to hear no more."""


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """What this program logs goes to ``path`` as well; the trial's own processes write there too."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_Masking("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        handler.close()
