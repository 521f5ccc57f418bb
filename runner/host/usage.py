"""CPU seconds, context switches, page faults and bytes of processes, as the kernel accounts for them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

import psutil

_NS = 1e-9
# The unit of ru_inblock and ru_oublock; see getrusage(2).
_BLOCK_BYTES = 512

# Whether ``own_usage`` includes the usage of children that have ended.
COUNTS_ENDED_CHILDREN = sys.platform != "win32"


class UsageRecord(TypedDict):
    """A ``Usage`` as records have it."""

    cpu_user_s: float | None
    cpu_system_s: float | None
    voluntary_switches: int | None
    involuntary_switches: int | None
    minor_faults: int | None
    major_faults: int | None
    read_bytes: int | None
    written_bytes: int | None
    storage_read_bytes: int | None
    storage_written_bytes: int | None


@dataclass(frozen=True)
class Usage:
    """What some processes used, with their children that have ended. None is what this system does not provide.

    Attributes:
        cpu_user_s, cpu_system_s: CPU seconds in the program, and in the kernel on its behalf.
        ended_cpu_s: the part of these two that was used by children that have ended and been waited for.
        voluntary_switches: how often a thread gave up its CPU to wait; ``involuntary_switches``: how often it lost it to others.
        minor_faults: page faults served from memory; ``major_faults``: those that needed a read from storage.
        read_bytes, written_bytes: through read and write calls, also from the page cache and pipes; not through mapped files.
        storage_read_bytes, storage_written_bytes: read from storage, and written to it.
    """

    cpu_user_s: float | None = 0.0
    cpu_system_s: float | None = 0.0
    ended_cpu_s: float | None = 0.0
    voluntary_switches: int | None = 0
    involuntary_switches: int | None = 0
    minor_faults: int | None = 0
    major_faults: int | None = 0
    read_bytes: int | None = 0
    written_bytes: int | None = 0
    storage_read_bytes: int | None = 0
    storage_written_bytes: int | None = 0

    @property
    def cpu_s(self) -> float | None:
        """User and system together."""
        return None if self.cpu_user_s is None or self.cpu_system_s is None else self.cpu_user_s + self.cpu_system_s

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(_known(mine, theirs, 1) for mine, theirs in zip(_values(self), _values(other), strict=True)))

    def __sub__(self, other: Usage) -> Usage:
        return Usage(*(_known(mine, theirs, -1) for mine, theirs in zip(_values(self), _values(other), strict=True)))

    def record(self) -> UsageRecord:
        """As ``result.json`` has it."""
        return {
            "cpu_user_s": self.cpu_user_s,
            "cpu_system_s": self.cpu_system_s,
            "voluntary_switches": self.voluntary_switches,
            "involuntary_switches": self.involuntary_switches,
            "minor_faults": self.minor_faults,
            "major_faults": self.major_faults,
            "read_bytes": self.read_bytes,
            "written_bytes": self.written_bytes,
            "storage_read_bytes": self.storage_read_bytes,
            "storage_written_bytes": self.storage_written_bytes,
        }


def _values(usage: Usage) -> Sequence[Any]:
    return [getattr(usage, spec.name) for spec in fields(Usage)]


def _known(one: Any, other: Any, sign: int) -> Any:
    return None if one is None or other is None else one + sign * other


def total(usages: Iterable[Usage]) -> Usage:
    """The sum, field by field; None if any operand is None."""
    return sum(usages, Usage())


def own_usage() -> Usage:
    """The usage of this process with all its threads, and of its children that have ended and been waited for.

    By ``getrusage``, to the microsecond, where there is one; elsewhere by psutil, without the children.
    """
    if sys.platform == "win32":
        return _by_psutil(os.getpid())
    import resource

    mine, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    moved = _bytes_moved("self")
    return Usage(
        cpu_user_s=mine.ru_utime + ended.ru_utime,
        cpu_system_s=mine.ru_stime + ended.ru_stime,
        ended_cpu_s=ended.ru_utime + ended.ru_stime,
        voluntary_switches=mine.ru_nvcsw + ended.ru_nvcsw,
        involuntary_switches=mine.ru_nivcsw + ended.ru_nivcsw,
        minor_faults=mine.ru_minflt + ended.ru_minflt,
        major_faults=mine.ru_majflt + ended.ru_majflt,
        read_bytes=moved.get("rchar"),
        written_bytes=moved.get("wchar"),
        storage_read_bytes=(mine.ru_inblock + ended.ru_inblock) * _BLOCK_BYTES,
        storage_written_bytes=(mine.ru_oublock + ended.ru_oublock) * _BLOCK_BYTES,
    )


def largest_resident_bytes() -> int | None:
    """The largest resident memory that this process ever had; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    kilobytes_or_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes_or_bytes if sys.platform == "darwin" else kilobytes_or_bytes * 1024


def usage_of(pid: int) -> Usage:
    """The usage of another process and of its ended children, read from outside. CPU seconds are exact to a tick.

    Switches of threads that have ended are missing. A process that is gone has a usage of 0.
    """
    if sys.platform != "linux":
        return _by_psutil(pid)
    try:
        stat = stat_fields(pid)
        tick_s = 1 / os.sysconf("SC_CLK_TCK")
        voluntary, involuntary = _switches_of(pid)
    except (OSError, ValueError, IndexError):
        return Usage()
    moved = _bytes_moved(str(pid))
    return Usage(
        cpu_user_s=(stat[11] + stat[13]) * tick_s,
        cpu_system_s=(stat[12] + stat[14]) * tick_s,
        ended_cpu_s=(stat[13] + stat[14]) * tick_s,
        voluntary_switches=voluntary,
        involuntary_switches=involuntary,
        minor_faults=stat[7] + stat[8],
        major_faults=stat[9] + stat[10],
        read_bytes=moved.get("rchar"),
        written_bytes=moved.get("wchar"),
        storage_read_bytes=moved.get("read_bytes"),
        storage_written_bytes=moved.get("write_bytes"),
    )


def stat_fields(pid: int) -> list[int]:
    """The fields of ``/proc/PID/stat`` from the third on; the third, the process's state, is no number and is given as 0. See proc_pid_stat(5).

    Raises:
        OSError: the process does not exist, or the system has no ``/proc``.
    """
    content = Path(f"/proc/{pid}/stat").read_bytes()
    return [0, *map(int, content[content.rindex(b")") + 4 :].split())]


def cpu_s_of(pid: int) -> float | None:
    """CPU seconds that a process has used so far, without its children: to the nanosecond on Linux, to a tick elsewhere.

    None for a process that is gone.
    """
    if pid == os.getpid():
        return time.process_time_ns() * _NS
    if sys.platform == "linux":
        try:
            # The kernel's clock id for another process's CPU time; see clock_getcpuclockid(3).
            return time.clock_gettime_ns((~pid << 3) | 2) * _NS
        except OSError:
            return None
    try:
        times = psutil.Process(pid).cpu_times()
    except (psutil.Error, OSError):
        return None
    return float(times.user + times.system)


def cpu_s(pids: Sequence[int]) -> float:
    """The sum of ``cpu_s_of``; a process that is gone counts as 0."""
    return sum(cpu_s_of(pid) or 0.0 for pid in pids)


def _bytes_moved(process: str) -> dict[str, int]:
    """The counters in ``/proc/PID/io``; empty where there is no such file."""
    try:
        lines = Path(f"/proc/{process}/io").read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, _, value in (line.partition(":") for line in lines)}


def _switches_of(pid: int) -> tuple[int, int]:
    voluntary = involuntary = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                voluntary += int(line.split()[1])
            elif line.startswith("nonvoluntary_ctxt_switches"):
                involuntary += int(line.split()[1])
    return voluntary, involuntary


def _by_psutil(pid: int) -> Usage:
    try:
        process = psutil.Process(pid)
        times, switches = process.cpu_times(), process.num_ctx_switches()
    except (psutil.Error, OSError):
        return Usage()
    read_bytes: int | None = None
    written_bytes: int | None = None
    if sys.platform != "darwin":  # not known there
        with contextlib.suppress(psutil.Error, OSError):
            counters = process.io_counters()
            read_bytes, written_bytes = counters.read_bytes, counters.write_bytes
    return Usage(
        cpu_user_s=times.user,
        cpu_system_s=times.system,
        voluntary_switches=switches.voluntary,
        involuntary_switches=switches.involuntary,
        minor_faults=getattr(process.memory_info(), "num_page_faults", None),
        major_faults=None,
        read_bytes=read_bytes,
        written_bytes=written_bytes,
        storage_read_bytes=None,
        storage_written_bytes=None,
    )
