"""Executes points: in rounds, one trial of every point in each, in a fresh random order."""

from __future__ import annotations

import contextlib
import math
import os
import random
import socket
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import psutil

from runner.analysis.stopping import expected_rounds, least_rounds
from runner.errors import TrialError
from runner.host.gpu import Gpus
from runner.host.lock import host_lock
from runner.record.trial import TrialPlace
from runner.record.trial_schema import TrialRecord
from runner.sweep.measuring import measured_trial
from runner.sweep.point import Point, complete
from runner.trial.supervisor import Event, Supervisor

# How long the host is watched before the first trial, in seconds.
_IDLE_LOOK_S = 0.2


class Display(Protocol):
    """Shows how the session goes."""

    def tell(self, message: str) -> None:
        """Something that the user should know now."""

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        """A trial of the point ``name``, in round ``number``; ``left`` trials remain as far as is known, this one included."""

    def event(self, event: Event) -> None:
        """The trial is in another phase, or has come further in this one."""

    def trial_ends(self, trial: TrialRecord) -> None:
        """The trial has this record."""


MeasureTrial = Callable[[Point, TrialPlace, Supervisor, Gpus, Callable[[Event], None]], TrialRecord]


class Session:
    """The trials of some points, in this process, one at a time.

    Attributes:
        gpus: of this machine.
        idle_cpu_pct: how busy the host was before the first trial, 100 is all CPUs; None before ``run``.

    Args:
        points: what to execute; their folders exist. Trials that they have already are not run again.
        seed: orders the trials, together with ``identity``.
        display: shows how it goes.
        supervisor: starts the trials; a new one if None.
        half_width: the half width of the widest interval so far, relative to its value: 0.02 is ± 2 %. Asked for at most once a round,
            where a point has a precision to reach.
        fail_fast: whether to end at the first trial that fails.
        measure: executes one trial.
        identity: of the sweep or point: one that is resumed has the order that was planned, and no two have the same.
    """

    def __init__(
        self,
        points: Sequence[Point],
        seed: int,
        display: Display,
        supervisor: Supervisor | None = None,
        *,
        half_width: Callable[[], float] = lambda: math.inf,
        fail_fast: bool = False,
        measure: MeasureTrial = measured_trial,
        identity: str = "",
    ) -> None:
        self._points = points
        self._seed = seed
        self._display = display
        self._half_width = half_width
        self._supervisor = supervisor or Supervisor()
        self._fail_fast = fail_fast
        self._measure = measure
        self._identity = identity
        self._widest: float | None = None
        # With the host: processes on two hosts may have the same id and start in the same second.
        self._block = f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{socket.gethostname()}-{os.getpid()}"
        self.gpus = Gpus()
        self.idle_cpu_pct: float | None = None

    def run(self) -> None:
        """Run every round of every point; a point that has failed is not tried again, the others go on.

        Raises:
            KeyboardInterrupt: the user wants to stop. What has been measured is on disk, and the points that are not complete say so.
        """
        number = 0
        try:
            with host_lock(self._display.tell, self._points[0].config.host.wait_s):
                self._warm()
                with contextlib.suppress(psutil.Error, OSError):  # not shown where the system does not say
                    self.idle_cpu_pct = psutil.cpu_percent(interval=_IDLE_LOOK_S)
                while due := self._due(number):
                    self._round(number, due)
                    number += 1
        except (KeyboardInterrupt, _FailFastError) as end:
            for point in self._points:
                if not point.has_failed and point in self._due(len(point.trials)):
                    point.interrupted = True
                    point.write()
            if isinstance(end, KeyboardInterrupt):
                raise

    def _warm(self) -> None:
        """Import what the trials to come need; a point that is complete already, in a sweep that is resumed, has none."""
        for tensorflow in sorted({point.config.uses_tensorflow for point in self._points if not complete(point)}):
            try:
                self._supervisor.warm(tensorflow=tensorflow)
            except TrialError as error:  # a trial that meets it too has it on record
                self._display.tell(str(error))

    def _due(self, number: int) -> list[Point]:
        """The points that have a round of this number."""
        open_ended = [
            least_rounds(point.config.protocol) for point in self._points if point.config.protocol.precision is not None
        ]
        self._widest = self._half_width() if open_ended and number >= min(open_ended) else None
        return [point for point in self._points if _has_round(point, number, self._widest)]

    def _round(self, number: int, due: list[Point]) -> None:
        # By seed and number, so that a session that resumes has the order that was planned.
        random.Random(f"{self._seed}/{self._identity}/{number}").shuffle(due)  # noqa: S311  (an order of trials is no secret)
        for order, point in enumerate(due):
            if point.has_failed or any(trial["round"] == number for trial in point.trials):
                continue
            protocol, left = point.config.protocol, self._left(number, due[order:])
            self._display.trial_starts(point.label, number, left, epochs=protocol.epochs, images=point.config.images)
            place = TrialPlace(number, order, self._block)
            trial = self._measure(point, place, self._supervisor, self.gpus, self._display.event)
            self._display.trial_ends(trial)
            if self._fail_fast and trial["status"] != "ok":
                self._display.tell("fail_fast: the sweep ends here")
                raise _FailFastError

    def _left(self, number: int, rest_of_round: Sequence[Point]) -> int:
        living = [point.config.protocol for point in self._points if not point.has_failed]
        later = sum(max(0, expected_rounds(protocol, number, self._widest) - number - 1) for protocol in living)
        return len([point for point in rest_of_round if not point.has_failed]) + later


def _has_round(point: Point, number: int, widest: float | None) -> bool:
    """Whether the point has a round of this number, where the widest interval is ``widest`` after the rounds before."""
    protocol = point.config.protocol
    if number < least_rounds(protocol) or protocol.precision is None:
        return number < least_rounds(protocol)
    return number < protocol.max_rounds and (widest is None or widest > protocol.precision)


class _FailFastError(Exception):
    """A trial has failed, and the user wants the sweep to end there."""
