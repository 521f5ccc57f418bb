"""Which CPUs a process may use."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import psutil

from runner.errors import TrialFailed


def restrict(cpus: Sequence[int] | None) -> None:
    """Restrict this process, and every process that it starts from now on, to ``cpus``; None changes nothing.

    Raises:
        TrialFailed: the system refuses.
    """
    if cpus is None:
        return
    try:
        _set(cpus)
    except (psutil.Error, OSError, ValueError) as error:
        raise TrialFailed(f"affinity: this process cannot be kept to the CPUs {list(cpus)}: {error}") from error


def allowed_cpus() -> tuple[int, ...] | None:
    """The CPUs that this process may use, in order; None where the system does not say (macOS)."""
    if sys.platform == "linux":
        return tuple(sorted(os.sched_getaffinity(0)))
    if sys.platform == "darwin":
        return None
    try:
        return tuple(sorted(psutil.Process().cpu_affinity() or ()))
    except (psutil.Error, OSError):
        return None


def _set(cpus: Sequence[int]) -> None:
    if sys.platform == "linux":
        os.sched_setaffinity(0, cpus)
    elif sys.platform == "darwin":
        raise OSError("macOS has no affinity")
    else:
        psutil.Process().cpu_affinity(list(cpus))
