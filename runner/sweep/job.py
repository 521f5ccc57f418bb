"""Executes one point of a sweep in a job of its own, which another launcher has started."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from omegaconf import DictConfig

from runner.config.check import typed
from runner.display.console import print_error
from runner.display.progress import LineDisplay
from runner.files import mask_hydra_files
from runner.host.lock import host_lock
from runner.sweep.point import Point, complete
from runner.sweep.single import measure


def execute_job(composed: DictConfig, overrides: Sequence[str], folder: Path) -> float | None:
    """Run one point of a sweep in a process, and perhaps on a host, of its own; returns its objective, or None where it failed.

    Nothing is logged to MLflow here: the process that started the sweep gathers the records, and logs them when no trial runs any more.
    The host's lock is held from the first check to the table, since what one job does around its trials would disturb another's.

    Args:
        composed: the point's configuration, without Hydra's own part.
        overrides: of the point.
        folder: of the point, which is made.

    Raises:
        ConfigurationError: it cannot be run on this host.
        KeyboardInterrupt: the user has stopped it. What has been measured is on disk.
    """
    mask_hydra_files(folder)
    with _sigterm_as_interrupt(), host_lock(print_error, typed(composed).host.wait_s):
        point = Point.prepared(composed, overrides, folder)
        point.restore_here()
        if not complete(point):
            measure(point, LineDisplay())
    if point.interrupted:
        raise KeyboardInterrupt
    return point.objective


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Handle SIGTERM as Ctrl-C: submitit ignores it, and the trials, to which Slurm sends it too, would seem to fail by themselves."""

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
