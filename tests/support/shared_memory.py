"""What lies in shared memory on this machine."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil


def shared_memory() -> set[str]:
    """The names of shared memory of all processes of this machine, but for those of joblib, which is no part of what is looked at."""
    folder = Path("/dev/shm")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    return {name for name in names if not name.startswith(("sem.loky-", "joblib_"))}


def left_in_shared_memory(before: set[str]) -> set[str]:
    """What is there that was not ``before`` and that no living process has: other programs come and go meanwhile."""
    if sys.platform != "linux":
        return set()
    left = shared_memory() - before
    for process in psutil.process_iter() if left else ():
        try:
            left -= {Path(mapped.path.removesuffix(" (deleted)")).name for mapped in process.memory_maps(grouped=True)}
        except psutil.Error:
            continue
    return left & shared_memory()
