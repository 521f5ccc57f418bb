"""Executes one point of a sweep in a job that another launcher has started."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import FrameType

from omegaconf import DictConfig

from runner.config.check import typed
from runner.disk import remove_left_over
from runner.display.console import print_error
from runner.display.progress import LineDisplay
from runner.files import mask_hydra_files
from runner.host.claim import claim, give_back
from runner.host.lock import host_lock
from runner.host.watchdog import die_with
from runner.sweeps.point import Objective, Point, complete
from runner.sweeps.resuming import resume
from runner.sweeps.single import measure


def execute_job(composed: DictConfig, overrides: Sequence[str], folder: Path) -> Objective:
    """Run one point of a sweep in its own process, perhaps on its own host; returns its objective, or None if it failed.

    Nothing is logged to MLflow here. The process that started the sweep gathers the records, and logs them when no trial runs any more.
    The host's lock is held from the first check to the table, because the work around this job's trials would disturb another job's trials.

    Args:
        composed: the point's configuration, without Hydra's own section.
        overrides: of the point.
        folder: of the point; it exists.

    Raises:
        ConfigurationError: it cannot be run on this host.
        KeyboardInterrupt: the user has stopped it. What was measured is on disk.
    """
    _end_with_launcher()
    claim(folder, "hydra.sweep.subdir", print_error)
    try:
        remove_left_over(folder)
        mask_hydra_files(folder)
        with _sigterm_as_interrupt(), host_lock(print_error, typed(composed).host.wait_s):
            point = Point.prepared(composed, overrides, folder)
            resume([point], print_error)
            if point.running or not complete(point):
                measure(point, LineDisplay(alone=True))
    finally:
        give_back(folder)
    if point.interrupted:
        raise KeyboardInterrupt
    return point.objective


@cache
def _end_with_launcher() -> None:
    """End this process where it is a worker of the launcher's program, as joblib's are, and that program has ended: nothing would gather the record.

    A job of a batch system has a life of its own.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        die_with(parent.pid)


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM as Ctrl-C. Submitit ignores it, but Slurm also sends it to the trials, which would then seem to fail by themselves."""

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
