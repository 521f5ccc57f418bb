"""Names in the system's shared memory that the libraries of a trial leave behind where it is killed: they say whose they are, to be removed.

Python's own semaphores have names where processes are spawned, and so has shared memory; both stay until somebody removes them. The names
are chosen by the standard library, which has no public way to choose them. Where a system shows no names, nothing is done: there Python's
resource tracker removes them when the program ends.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from multiprocessing import resource_tracker, shared_memory
from pathlib import Path

# Where Linux shows them (shm_overview(7), sem_overview(7)).
_FOLDER = Path("/dev/shm")  # noqa: S108  (only what is there is removed)


def name_semaphores() -> None:
    """In the trial, before a library makes semaphores: they say whose they are."""
    config = multiprocessing.current_process()._config  # type: ignore[attr-defined]  # noqa: SLF001
    config["semprefix"] = f"/mp-{os.getpid():x}"


def name_shared_memory(trial: int) -> None:
    """In a worker, before it makes shared memory: that says which trial it belongs to."""
    if sys.platform != "win32":
        prefix = f"/{_prefix(trial)}"
        shared_memory._SHM_NAME_PREFIX = prefix  # type: ignore[attr-defined]  # noqa: SLF001
        shared_memory._SHM_SAFE_NAME_LENGTH = len(prefix) + 12  # type: ignore[attr-defined]  # noqa: SLF001


def _prefix(trial: int) -> str:
    return f"psm_{trial:x}_"


def remove_named(trial: int) -> None:
    """Remove what a trial has left; also from what the resource tracker keeps, which is the same for the trial and the conductor."""
    if sys.platform != "linux":
        return
    for path in _FOLDER.glob(f"{_prefix(trial)}*"):
        try:
            left = shared_memory.SharedMemory(path.name)
            left.close()
            left.unlink()
        except (OSError, ValueError):  # removed meanwhile, or empty
            path.unlink(missing_ok=True)
    for path in _FOLDER.glob(f"sem.mp-{trial:x}-*"):
        path.unlink(missing_ok=True)
        resource_tracker.unregister(path.name.removeprefix("sem").replace(".", "/", 1), "semaphore")
