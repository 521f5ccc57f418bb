"""Starts a trial in a fresh process, watches it, and ends it: the conductor's side of a trial.

On POSIX a trial comes from a fork server that has imported what it needs, which makes a fresh process cheap. Elsewhere it is spawned.
Whatever happens in a trial, the supervisor returns a typed outcome and ends all its processes.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from time import monotonic

from runner.errors import TrialError, TrialFailed, TrialKilled, TrialSilent, TrialTimeout, ended_by
from runner.host.connections import Connection
from runner.host.processes import GRACE_S, end, kill_group
from runner.trial.fork_server import fork_server
from runner.trial.main_module import without_main_module
from runner.trial.messages import Phase, Progress, Report, TrialFailure, TrialPlan, mode_class
from runner.trial.other_interpreter import started_by
from runner.trial.start import ready, start_trial

# How long a fresh process may take until its first message; the fork server may import TensorFlow before the first.
START_LIMIT_S = 300.0

# How long a trial may take to end after it has sent its report.
EXIT_S = 10.0

# What ``multiprocessing`` says of a process whose fork server does not answer any more; a process may also end so by itself.
_SERVER_GONE = "status 255"

Event = Phase | Progress
Message = Event | Report | TrialFailure


@dataclass(frozen=True)
class Outcome:
    """The result of a trial: a report, or the error that ended it; and the phases that it went through."""

    report: Report | None
    error: TrialError | None
    phases: tuple[Phase, ...]


class Supervisor:
    """Executes trials one after the other.

    Args:
        start_method: how a trial's process is started; by default ``forkserver`` where there is one, otherwise ``spawn``.
        start_limit_s: how long a fresh process may take until its first message, the imports of its fork server included.
    """

    def __init__(self, start_method: str | None = None, start_limit_s: float = START_LIMIT_S) -> None:
        methods = multiprocessing.get_all_start_methods()
        self.start_method = start_method or ("forkserver" if "forkserver" in methods else "spawn")
        self._context = multiprocessing.get_context(self.start_method)
        self._start_limit_s = start_limit_s

    def warm(self, *, tensorflow: bool = True, python: str | None = None) -> None:
        """Let the fork server make its imports now, with or without TensorFlow, so that the first trial starts as fast as the others.

        Args:
            tensorflow: whether it is the server with TensorFlow.
            python: the executable of another interpreter, whose server it is; None for this one.

        Raises:
            TrialError: no process could be started.
        """
        if self.start_method != "forkserver":
            return
        process = self._context.Process(target=ready, name="warm")  # type: ignore[attr-defined]
        self._start(process, tensorflow=tensorflow, python=python)
        process.join(self._start_limit_s)
        if process.exitcode is None:
            end(process)
            raise TrialTimeout(f"a process of the fork server did not end within {self._start_limit_s:g} s")
        if process.exitcode:
            raise ended_by("a process of the fork server", process.exitcode)

    def _start(self, process: BaseProcess, *, tensorflow: bool, python: str | None) -> None:
        with without_main_module():
            if self.start_method == "forkserver":
                fork_server(tensorflow=tensorflow, python=python).start(process, self._start_limit_s)
                return
            with started_by(python):
                process.start()

    def execute(self, plan: TrialPlan, timeout_s: float, on_event: Callable[[Event], None]) -> Outcome:
        """Run one trial until it has ended in one way or another.

        Raises:
            KeyboardInterrupt: the user wants to stop. The trial has been ended.
        """
        here, there = self._context.Pipe()
        process = self._context.Process(  # type: ignore[attr-defined]
            target=start_trial, args=(there, plan, self.start_method == "forkserver"), name="trial"
        )
        phases: list[Phase] = []
        ended_well = False
        try:
            self._start(process, tensorflow=plan.uses_tensorflow, python=plan.python)
        except TrialError as error:
            here.close()
            return Outcome(None, error, ())
        finally:
            there.close()
        try:
            try:
                report = _until_report(process, here, _Deadline(process, timeout_s, self._start_limit_s), on_event, phases)
            except TrialError as error:
                return Outcome(None, self._explained(plan, error), tuple(phases))
            process.join(EXIT_S)
            ended_well = process.exitcode == 0
            return Outcome(report, None, tuple(phases))
        finally:
            end(process)
            here.close()
            if process.pid is not None and not (ended_well and plan.mode.mode.imports_library):
                mode_class(plan).after_trial(process.pid)

    def _explained(self, plan: TrialPlan, error: TrialError) -> TrialError:
        """The error; for an exit without a report, the fork server's end or the mode's own explanation if there is one."""
        if not isinstance(error, TrialSilent):
            return error
        server = fork_server(tensorflow=plan.uses_tensorflow, python=plan.python) if self.start_method == "forkserver" else None
        if server is not None and _SERVER_GONE in str(error) and server.ends_within(1.0):
            return TrialKilled("the fork server was ended, and the trial with it", kind="ForkServerEnded")
        return mode_class(plan).why_silent(plan.mode.mode) or error


def _until_report(
    process: BaseProcess, connection: Connection, clock: _Deadline, on_event: Callable[[Event], None], phases: list[Phase]
) -> Report:
    """Wait for the trial's report. Its events until then go to ``on_event``, and its phases are added to ``phases``.

    Raises:
        TrialError: the trial did not finish.
    """
    try:
        while True:
            message = _next_message(process, connection, clock, phases)
            clock.start()
            match message:
                case Report():
                    return message
                case TrialFailure():
                    raise _as_error(message)
                case Phase():
                    phases.append(message)
                    on_event(message)
                    _let_go_on(connection)
                case Progress():
                    on_event(message)
    finally:
        clock.stop()


def _let_go_on(connection: Connection) -> None:
    """Answer a trial that waits at the start of a phase."""
    with contextlib.suppress(OSError):  # the trial has died, which the next message will show
        connection.send(None)


def _next_message(process: BaseProcess, connection: Connection, clock: _Deadline, phases: Sequence[Phase]) -> Message:
    ready = wait([connection, process.sentinel], clock.left_s())
    if not ready:
        raise clock.error(phases)
    if connection not in ready and not connection.poll():
        process.join()
        raise ended_by(f"the trial (pid {process.pid})", process.exitcode)
    try:
        message: Message = connection.recv()
    except (EOFError, OSError):
        if clock.left_s() == 0:
            raise clock.error(phases) from None
        process.join(1.0)
        raise ended_by(f"the trial (pid {process.pid})", process.exitcode) from None
    return message


class _Deadline:
    """When a trial must be done: ``timeout_s`` after its first message, which itself must come within ``start_limit_s``.

    A trial that hangs in the middle of a message would block its reader for ever. So a timer kills it a little after the deadline, which
    also ends the message.
    """

    def __init__(self, process: BaseProcess, timeout_s: float, start_limit_s: float) -> None:
        self._limit_s = start_limit_s
        self._timeout_s = timeout_s
        self._started = False
        self._at = monotonic() + start_limit_s
        self._timer = threading.Timer(timeout_s + GRACE_S, kill_group, (process,))
        self._timer.daemon = True

    def start(self) -> None:
        """Start the time limit of the trial, at its first message."""
        if not self._started:
            self._started = True
            self._limit_s = self._timeout_s
            self._at = monotonic() + self._timeout_s
            self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def left_s(self) -> float:
        return max(0.0, self._at - monotonic())

    def error(self, phases: Sequence[Phase]) -> TrialTimeout:
        phase = phases[-1].name if phases else "start"
        return TrialTimeout(f"the trial was not done after {self._limit_s:g} s; it was in phase {phase!r}")


def _as_error(failure: TrialFailure) -> TrialError:
    kind = TrialKilled if failure.status == TrialKilled.status else TrialFailed
    return kind(failure.message, kind=failure.kind, remote_traceback=failure.traceback)


__all__ = ["Event", "Outcome", "Supervisor"]
