"""Executes a point by itself: its rounds, its table, its MLflow run."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from runner import status
from runner.point import Point

if TYPE_CHECKING:
    from runner.turns import Turns


def execute_alone(point: Point) -> float | None:
    """Run the point, whose folder is made; returns its objective, or None where it failed.

    Raises:
        KeyboardInterrupt: the user has stopped it. What has been measured is on disk and logged.
    """
    from runner.tracking import track

    try:
        _measure(point)
    finally:
        if point.trials:
            track(point.folder, [point.config.tracking])
    if point.interrupted:
        raise KeyboardInterrupt  # whoever has more points to run should not
    return point.objective


def execute_job(composed: DictConfig, overrides: Sequence[str], folder: Path, sweep: Path) -> float | None:
    """Run one point of a sweep in a process, and perhaps on a host, of its own; returns its objective, or None where it failed.

    Nothing is logged here: the process that started the sweep gathers the records, and logs all of them when nothing is timed any more.
    All of it is done under the host's lock, since what a job does before and after its trials would be in the trials of another; from
    trial to trial the lock goes round among the jobs of the sweep that are on this host.

    Args:
        composed: the point's configuration, without Hydra's own part.
        overrides: of the point.
        folder: of the point, which is made.
        sweep: folder of the sweep.

    Raises:
        ConfigurationError: it cannot be run on this host.
        KeyboardInterrupt: the user has stopped it. What has been measured is on disk.
    """
    from runner.host_lock import host_lock
    from runner.protocol.stopping import complete
    from runner.secrets import mask_hydra_files
    from runner.terminal import print_error
    from runner.turns import Turns

    mask_hydra_files(folder)
    with contextlib.ExitStack() as part:
        part.enter_context(_ended_by_sigterm())
        turns: Turns | None = None
        rounds = int(composed.protocol.rounds)
        try:
            turns = part.enter_context(Turns(sweep, os.path.relpath(folder, sweep), rounds, print_error))
        except OSError:  # the sweep's folder is on a file system without locks
            part.enter_context(host_lock(print_error))
        with host_lock(print_error):
            point = Point.prepared(composed, overrides, folder)
            point.restore_here()
        if not complete(point):
            _measure(point, turns)
    if point.interrupted:
        raise KeyboardInterrupt
    return point.objective


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C: submitit lets it pass, and the trials, which Slurm tells as well, would seem to fail by themselves."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measure(point: Point, turns: Turns | None = None) -> None:
    from runner import terminal
    from runner.host_lock import host_lock
    from runner.protocol.stopping import precise_by_itself
    from runner.report.trace import write_trace
    from runner.session import Session

    # A bar that moves while others are timed would be in their numbers.
    with terminal.ProgressDisplay() if turns is None else contextlib.nullcontext(terminal.LineDisplay()) as display:
        session = Session([point], point.config.seed, display, precise_enough=precise_by_itself, turns=turns)
        try:
            session.run()
        except KeyboardInterrupt:
            status.worsen(status.INTERRUPTED)
    if point.has_failed:
        status.worsen(status.FAILED)
    if turns is not None:
        turns.leave()
    alone = turns is None or point.interrupted  # whom the system wants to end has no time to wait for others
    with contextlib.nullcontext() if alone else host_lock(terminal.print_error):
        if point.trials:
            write_trace(point.folder)
            terminal.print_point(point, session.gpus, session.idle_cpu_pct)
