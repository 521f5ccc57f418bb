"""Ends a process when the process that started it is gone."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import select
import sys
import threading
from collections.abc import Callable

import psutil


def die_with_parent(last_act: Callable[[], None] | None = None) -> None:
    """From now on, end this process as soon as the process that started it has ended, for whatever reason; call ``last_act`` before.

    A thread waits on the parent's sentinel, which costs nothing. A process must not fork after it has called this.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    _end_after(parent.join, last_act)


def die_with(pid: int) -> None:
    """The same for a process that multiprocessing did not start: end with the process that has this id."""
    try:
        _end_after(_wait_for(pid), None)
    except (ProcessLookupError, psutil.NoSuchProcess):
        os._exit(1)


def _wait_for(pid: int) -> Callable[[], object]:
    """What waits for the end of a process; without looking again and again where the system has a way."""
    if sys.platform == "linux":
        with contextlib.suppress(NotImplementedError, PermissionError):  # an old kernel, or one that forbids it
            end = select.poll()
            end.register(os.pidfd_open(pid), select.POLLIN)
            return end.poll
    return psutil.Process(pid).wait


def _end_after(wait: Callable[[], object], last_act: Callable[[], None] | None) -> None:
    def watch() -> None:
        wait()
        if last_act is not None:
            last_act()
        os._exit(1)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
