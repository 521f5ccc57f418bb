"""Ends a process when the process that started it is gone."""

from __future__ import annotations

import multiprocessing
import os
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
        other = psutil.Process(pid)
    except psutil.NoSuchProcess:
        os._exit(1)
    _end_after(other.wait, None)


def _end_after(wait: Callable[[], object], last_act: Callable[[], None] | None) -> None:
    def watch() -> None:
        wait()
        if last_act is not None:
            last_act()
        os._exit(1)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
