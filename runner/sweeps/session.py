"""Executes points in rounds; each round has one trial of every point, in a new random order."""

from __future__ import annotations

import contextlib
import math
import os
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import psutil

from runner.analysis.shortages import short_of_memory
from runner.analysis.stopping import expected_rounds, least_rounds
from runner.errors import TrialError
from runner.host.checkouts import remove_checkouts
from runner.host.gpu import Gpus
from runner.host.limits import Limits
from runner.host.lock import host_lock
from runner.record.trial import TrialPlace
from runner.record.trial_schema import TrialRecord
from runner.sweeps.measuring import measured_trial
from runner.sweeps.point import Point, complete
from runner.sweeps.surroundings import look_around
from runner.trial.fork_server import end_fork_servers
from runner.trial.supervisor import Event, Supervisor

# How long the host is watched before the first trial, in seconds.
_IDLE_LOOK_S = 0.2


class Display(Protocol):
    """Shows the progress of a session."""

    def tell(self, message: str) -> None:
        """Show something that the user should know now."""

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        """A trial of the point ``name``, in round ``number``; ``left`` trials remain as far as is known, this one included."""

    def event(self, event: Event) -> None:
        """The trial has entered another phase, or has made progress in this one."""

    def trial_ends(self, trial: TrialRecord) -> None:
        """The trial has ended with this record."""


class Course(Protocol):
    """Decides, round by round, which points go on."""

    def due(self, number: int) -> Sequence[Point]:
        """The points that have a round of this number; none where it is over."""

    def budget_is_spent(self) -> bool:
        """Whether no trial should be started any more."""

    def round_ended(self) -> None:
        """A round has ended."""


MeasureTrial = Callable[[Point, TrialPlace, Supervisor, Gpus, Callable[[Event], None]], TrialRecord]


class Session:
    """Runs the trials of some points from this process, one at a time.

    Attributes:
        gpus: of this machine.
        idle_cpu_pct: CPU usage of the host before the first trial, 100 is all CPUs; None before ``run``.

    Args:
        points: to be executed; their folders exist. Trials that they already have are not run again. Those with more to come are ``running`` from now on.
        seed: orders the trials, together with ``identity``.
        display: shows the progress.
        supervisor: starts the trials; a new one if None.
        half_width: the half width of the widest interval so far, relative to its value: 0.02 is ± 2 %. Asked for at most once a round,
            where a point has a precision to reach.
        prepare: is called once, before the first trial, with what starts trials.
        course: of a race; None where the number of rounds depends on the protocol alone.
        fail_fast: whether to end at the first trial that fails.
        measure: executes one trial.
        identity: the id of the sweep or point, so that a resumed one keeps its order, and others have different orders.
        wait: waits so many seconds, between rounds.
    """

    def __init__(
        self,
        points: Sequence[Point],
        seed: int,
        display: Display,
        supervisor: Supervisor | None = None,
        *,
        half_width: Callable[[], float] = lambda: math.inf,
        prepare: Callable[[Supervisor], None] | None = None,
        course: Course | None = None,
        fail_fast: bool = False,
        measure: MeasureTrial = measured_trial,
        identity: str = "",
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._points = points
        self._seed = seed
        self._display = display
        self._half_width = half_width
        self._prepare = prepare
        self._course = course
        self._supervisor = supervisor or Supervisor()
        self._fail_fast = fail_fast
        self._measure = measure
        self._identity = identity
        self._wait = wait
        self._widest: float | None = None
        self._measured = False
        # With the name of the host, because processes of two hosts may have the same id and start in the same second.
        self._block = f"{time.strftime('%Y-%m-%dT%H:%M:%S')}-{socket.gethostname()}-{os.getpid()}"
        self.gpus = Gpus()
        self.idle_cpu_pct: float | None = None
        for point in self._to_measure():
            point.running = True

    def run(self) -> None:
        """Run every round of every point. A point that has failed is not tried again; the others go on.

        Raises:
            KeyboardInterrupt: the user wants to stop. What was measured is on disk, and incomplete points are marked as interrupted.
        """
        number = 0
        try:
            with contextlib.ExitStack() as measuring, _others_ended():
                measuring.enter_context(self._host_lock())
                self._predict()
                self._warm()
                if self._prepare is not None:
                    self._prepare(self._supervisor)
                look_around(self._to_measure())
                with contextlib.suppress(psutil.Error, OSError):  # not shown where the system does not say
                    self.idle_cpu_pct = psutil.cpu_percent(interval=_IDLE_LOOK_S)
                while due := self._due(number):
                    self._pause(measuring, due)
                    self._round(number, due)
                    number += 1
                    if self._course is not None:
                        self._course.round_ended()
        except (KeyboardInterrupt, _FailFastError) as end:
            for point in self._points:
                if not point.has_failed and point in self._due(len(point.trials)):
                    point.interrupted = True
                    point.write()
            self._end()
            if isinstance(end, KeyboardInterrupt):
                raise

        else:
            self._end()

    def _host_lock(self) -> contextlib.AbstractContextManager[None]:
        return host_lock(self._display.tell, self._points[0].config.host.wait_s)

    def _pause(self, measuring: contextlib.ExitStack, due: Sequence[Point]) -> None:
        """Wait between two rounds, if that is asked for, without keeping others from measuring; ``measuring`` holds the host's lock."""
        pause_s = max(point.config.protocol.pause_s for point in due)
        if self._measured and pause_s:
            measuring.close()
            self._wait(pause_s)
            measuring.enter_context(self._host_lock())

    def _end(self) -> None:
        """Write down that nothing is measured any more. A program that is killed before leaves records that say ``running``."""
        for point in self._points:
            if point.running:
                point.running = False
                if point.trials:
                    point.write()

    def _predict(self) -> None:
        """Say which points are likely to need more memory than they may use."""
        limits = Limits.now()
        for point in self._to_measure():
            if (said := short_of_memory(point.label, point.planned, limits)) is not None:
                self._display.tell(said)

    def _warm(self) -> None:
        """Let the fork servers import what the remaining trials need. Complete points of a resumed sweep have none."""
        servers = dict.fromkeys((point.surroundings.python(), point.config.uses_tensorflow) for point in self._to_measure())
        for python, tensorflow in sorted(servers, key=str):
            try:
                self._supervisor.warm(tensorflow=tensorflow, python=python)
            except TrialError as error:  # a trial that has the same error will record it
                self._display.tell(str(error))

    def _to_measure(self) -> list[Point]:
        if self._course is None:
            return [point for point in self._points if not complete(point)]
        begun = max(len(point.trials) for point in self._points)  # the last round that was begun may not have ended
        return [point for number in {max(0, begun - 1), begun} for point in self._due(number) if len(point.trials) <= number]

    def _due(self, number: int) -> list[Point]:
        """The points that have a round of this number."""
        if self._course is not None:
            return list(self._course.due(number))
        open_ended = [
            least_rounds(point.config.protocol) for point in self._points if point.config.protocol.precision is not None
        ]
        self._widest = self._half_width() if open_ended and number >= min(open_ended) else None
        return [point for point in self._points if _has_round(point, number, self._widest)]

    def _round(self, number: int, due: list[Point]) -> None:
        # From seed and number, so that a resumed sweep keeps its order.
        random.Random(f"{self._seed}/{self._identity}/{number}").shuffle(due)  # noqa: S311  (an order of trials is no secret)
        for order, point in enumerate(due):
            if point.has_failed or any(trial["round"] == number for trial in point.trials):
                continue
            if self._course is not None and self._course.budget_is_spent():
                return
            protocol, left = point.config.protocol, self._left(number, due[order:])
            self._display.trial_starts(point.label, number, left, epochs=protocol.epochs, images=point.config.epoch_images)
            place = TrialPlace(number, order, self._block)
            self._measured = True
            trial = self._measure(point, place, self._supervisor, self.gpus, self._display.event)
            self._display.trial_ends(trial)
            if self._fail_fast and trial["status"] != "ok":
                self._display.tell("fail_fast: the sweep ends here")
                raise _FailFastError

    def _left(self, number: int, rest_of_round: Sequence[Point]) -> int:
        if self._course is not None:  # which points the next round has depends on this one
            return len([point for point in rest_of_round if not point.has_failed])
        living = [point.config.protocol for point in self._points if not point.has_failed]
        later = sum(max(0, expected_rounds(protocol, number, self._widest) - number - 1) for protocol in living)
        return len([point for point in rest_of_round if not point.has_failed]) + later


def _has_round(point: Point, number: int, widest: float | None) -> bool:
    """Whether the point has a round of this number, where the widest interval is ``widest`` after the rounds before."""
    protocol = point.config.protocol
    if number < least_rounds(protocol) or protocol.precision is None:
        return number < least_rounds(protocol)
    return number < protocol.max_rounds and (widest is None or widest > protocol.precision)


@contextlib.contextmanager
def _others_ended() -> Iterator[None]:
    """Afterwards, no server of another interpreter runs any more, and no other commit is checked out."""
    try:
        yield
    finally:
        end_fork_servers(others_only=True)
        remove_checkouts()


class _FailFastError(Exception):
    """A trial has failed, and the user wants the sweep to end at the first failure."""
