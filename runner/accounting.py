"""CPU seconds and memory of a trial's processes, asked of the kernel."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_NS = 1e-9


@dataclass(frozen=True)
class Footprint:
    """A tree of processes at one moment.

    Attributes:
        memory_bytes: what the trial would need alone, every shared page counted once.
        memory_method: how that was found: ``pss``, ``uss`` or ``rss``.
        threads, processes: of the tree.
    """

    memory_bytes: int
    memory_method: str
    threads: int
    processes: int


def cpu_s(pids: Sequence[int]) -> float:
    """CPU seconds that the processes ``pids`` have used so far: to the nanosecond on Linux, to a tick elsewhere.

    A process that is gone counts nothing.
    """
    return sum(map(_cpu_s_of, pids))


def _cpu_s_of(pid: int) -> float:
    if pid == os.getpid():
        return time.process_time_ns() * _NS
    if sys.platform == "linux":
        try:
            # The kernel's clock id for another process's CPU time; see clock_getcpuclockid(3).
            return time.clock_gettime_ns((~pid << 3) | 2) * _NS
        except OSError:
            return 0.0
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def cpu_user_system_s() -> tuple[float, float]:
    """CPU seconds of this process and of all its children that have ended and been waited for: user, system."""
    if sys.platform == "win32":
        times = psutil.Process().cpu_times()
        return times.user, times.system
    import resource

    mine, childrens = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + childrens.ru_utime, mine.ru_stime + childrens.ru_stime


def footprint(pids: Sequence[int], fork_server: int | None) -> Footprint:
    """Memory, threads and processes of ``pids`` now; 10 ms a process, so never while anything is timed.

    Memory counts shared pages once. Those that a trial shares with the fork server it came from belong to what it would need
    alone, so: sum of PSS over the tree, plus PSS of the fork server, minus what only the fork server has (USS).
    """
    threads = 0
    living = []
    for pid in pids:
        try:
            process = psutil.Process(pid)
            threads += process.num_threads()
            living.append(process)
        except psutil.Error:
            continue
    memory, method = _memory(living, fork_server)
    return Footprint(memory, method, threads, len(living))


def _memory(processes: Sequence[psutil.Process], fork_server: int | None) -> tuple[int, str]:
    try:
        total = sum(_pss_uss(process.pid)[0] for process in processes)
        if fork_server is not None:
            pss, uss = _pss_uss(fork_server)
            total += pss - uss
    except OSError:
        pass
    else:
        return total, "pss"
    method = "uss"
    total = 0
    for process in processes:
        try:
            total += process.memory_full_info().uss
        except (psutil.Error, AttributeError):
            method = "rss"
    if method == "rss":
        total = sum(process.memory_info().rss for process in processes if process.is_running())
    return total, method


def _pss_uss(pid: int) -> tuple[int, int]:
    """Proportional and unique set size in bytes; raises OSError where the system does not tell."""
    pss = uss = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pss":
            pss = int(value.split()[0]) * 1024
        elif name in ("Private_Clean", "Private_Dirty"):
            uss += int(value.split()[0]) * 1024
    return pss, uss
