"""Which CPUs a process may use."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

from runner.errors import TrialFailed


def restrict(cpus: Sequence[int] | None) -> None:
    """Restrict this process, and all that it starts from now on, to ``cpus``; None leaves it as it is.

    Raises:
        TrialFailed: the system does not let it.
    """
    if cpus is None:
        return
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cpus)
        else:
            psutil.Process().cpu_affinity(list(cpus))
    except (psutil.Error, OSError, ValueError, AttributeError) as error:
        raise TrialFailed(f"affinity: this process cannot be kept to the CPUs {list(cpus)}: {error}") from error


def read_back() -> tuple[int, ...] | None:
    """The CPUs that this process may use, as the system tells; None where it does not."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    try:
        return tuple(sorted(psutil.Process().cpu_affinity() or ()))
    except (psutil.Error, OSError, AttributeError):
        return None


def allowed_cpus() -> tuple[int, ...] | None:
    """The CPUs that this process may use; None where the system has no such notion (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    try:
        return tuple(psutil.Process().cpu_affinity() or ())
    except (psutil.Error, OSError, AttributeError):
        return None
