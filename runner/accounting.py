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
        memory_method: how that was found: ``pss``; where the system does not tell that, the sum of ``uss`` (shared pages left
            out) or of ``rss`` (shared pages counted for each).
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

    Memory is what the trial would need alone, every page that its processes share counted once, and whatever else on the host
    has the same libraries open left out of it:

    * Anonymous memory by proportional shares (PSS), which only relatives can share. Pages that a trial shares with the fork
      server it came from belong to it: the sum over the tree, plus the fork server's shares, minus what is the fork server's own.
    * Mapped files (mostly libraries) by the process that has most of them resident: forked or spawned, all map the same.
    * Shared memory by proportional shares.
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
        tree = [_Pages.of(process.pid) for process in processes]
        server = [] if fork_server is None else [_Pages.of(fork_server)]
    except (OSError, KeyError):
        pass
    else:
        shares = sum(pages.anonymous + pages.shared for pages in tree)
        inherited = sum(pages.anonymous - pages.own for pages in server)
        return shares + inherited + max((pages.files for pages in tree), default=0), "pss"
    try:
        return sum(process.memory_full_info().uss for process in processes), "uss"
    except (psutil.Error, AttributeError):
        return sum(_rss(process) for process in processes), "rss"


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


@dataclass(frozen=True)
class _Pages:
    """One process's resident pages in bytes: proportional shares of anonymous and of shared memory, its own, and of files."""

    anonymous: int
    shared: int
    own: int
    files: int

    @classmethod
    def of(cls, pid: int) -> _Pages:
        """From ``/proc``; raises OSError or KeyError where the system does not tell."""
        rollup, status = (_fields(Path(f"/proc/{pid}/{name}")) for name in ("smaps_rollup", "status"))
        # What is private and dirty is anonymous; what is private and clean is of a file.
        return cls(rollup["Pss_Anon"], rollup["Pss_Shmem"], rollup["Private_Dirty"], status["RssFile"])


def _fields(path: Path) -> dict[str, int]:
    """The lines of a file of ``/proc`` that give kilobytes, in bytes."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":
            found[name] = int(words[0]) * 1024
    return found
