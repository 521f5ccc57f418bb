"""What the system lets this program have at most: memory, processes, threads, open files. None is no limit, or one that the system does not say."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import psutil

from runner.host.control_groups import memory_limit_bytes, oom_kills, pids_limit


@dataclass(frozen=True)
class Limits:
    """The limits at one moment.

    Attributes:
        memory_bytes: of the control groups.
        host_memory_bytes: of the host.
        address_space_bytes: of each process (RLIMIT_AS).
        open_files: of each process (RLIMIT_NOFILE).
        tasks: how many processes and threads may be started by now.
        tasks_most: the limit from which that follows.
        tasks_name: of that limit: ``RLIMIT_NPROC`` of the user, or ``pids.max`` of the control group.
        oom_kills: how many processes of the control group have been killed so far because there was no memory left for them.
    """

    memory_bytes: int | None = None
    host_memory_bytes: int | None = None
    address_space_bytes: int | None = None
    open_files: int | None = None
    tasks: int | None = None
    tasks_most: int | None = None
    tasks_name: str = ""
    oom_kills: int | None = None

    @classmethod
    def now(cls) -> Limits:
        """Read them. Where the user's processes are limited, all processes of the system are looked at."""
        left, most, name = min(_tasks(), default=(None, None, ""))
        return cls(
            memory_bytes=memory_limit_bytes(),
            host_memory_bytes=host_memory_bytes(),
            address_space_bytes=_resource("RLIMIT_AS"),
            open_files=_resource("RLIMIT_NOFILE"),
            tasks=left,
            tasks_most=most,
            tasks_name=name,
            oom_kills=oom_kills(),
        )


def _tasks() -> list[tuple[int, int, str]]:
    """For each limit of processes and threads: how many more there may be, the limit, its name."""
    limits = []
    # The system lets its administrator have as many as he likes.
    if (most := _resource("RLIMIT_NPROC")) is not None and sys.platform != "win32" and os.geteuid():
        limits.append((most - _tasks_of_user(), most, "RLIMIT_NPROC"))
    if (group := pids_limit()) is not None:
        limits.append((group[0] - group[1], group[0], "pids.max"))
    return limits


def _tasks_of_user() -> int:
    if sys.platform == "win32":
        return 0
    threads = 0
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid():
                threads += process.num_threads()
        except (psutil.Error, OSError):
            continue
    return threads


def _resource(name: str) -> int | None:
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(getattr(resource, name))[0]
    return None if soft == resource.RLIM_INFINITY else soft


def host_memory_bytes() -> int | None:
    """The memory of this host."""
    try:
        return int(psutil.virtual_memory().total)
    except (psutil.Error, OSError):
        return None
