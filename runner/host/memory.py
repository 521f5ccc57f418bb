"""Memory of a trial's processes, with every page counted once."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from runner.host.usage import stat_fields

_ROLLUP = Path("/proc/self/smaps_rollup")


@dataclass(frozen=True)
class Footprint:
    """A tree of processes at one moment.

    Attributes:
        memory_bytes: what the trial would need alone, every shared page counted once; None where the system does not say.
        memory_method: how it was measured: ``pss``. Where the system does not provide that, it is the sum of ``uss`` (without shared
            pages), of ``rss`` (shared pages counted in each process), or of ``largest_rss`` (the most each process ever had resident).
        pss_bytes: the sum of proportional shares, without what belongs to the fork server that the trial came from.
        threads: of the tree, None where the system does not say.
        processes: of the tree.
    """

    memory_bytes: int | None
    memory_method: str | None
    pss_bytes: int | None
    threads: int | None
    processes: int


def footprint(pids: Sequence[int], fork_server: int | None, largest_rss_bytes: int | None = None) -> Footprint:
    """Memory, threads and processes of ``pids`` now. It takes 10 ms a process, so it must not run while anything is timed.

    Memory is what the trial would need alone. A page that several of its processes share counts once, and other programs that use
    the same libraries change nothing:

    * Anonymous memory is the sum of proportional shares (PSS); only processes forked from one another share it. The trial also needs the
      pages that it shares with its fork server, so the fork server's shares are added, without the pages that it has for itself.
    * Mapped files (mostly libraries) count as in the process that has most of them resident, because all processes map the same ones.
    * Shared memory is the sum of proportional shares.

    ``largest_rss_bytes``, which the processes report themselves, is used if nothing can be read from outside.
    """
    living = []
    threads: int | None = 0
    for pid in pids:
        try:
            process = psutil.Process(pid)
            threads = None if threads is None else threads + process.num_threads()
            living.append(process)
        except psutil.Error:
            continue
        except OSError:  # no /proc, where psutil reads it
            threads = None
    memory, method, pss = _memory(living, fork_server)
    if method is None and largest_rss_bytes is not None:
        memory, method = largest_rss_bytes, "largest_rss"
    return Footprint(memory, method, pss, threads, len(living) if threads is not None else len(pids))


def together(parts: Sequence[Footprint]) -> Footprint:
    """The sum over several hosts, as far as they provide the figures; the method is the first host's."""

    def summed(name: str) -> int | None:
        known = [value for part in parts if (value := getattr(part, name)) is not None]
        return sum(known) if known else None

    memory, pss, threads = (summed(name) for name in ("memory_bytes", "pss_bytes", "threads"))
    return Footprint(memory, parts[0].memory_method, pss, threads, sum(part.processes for part in parts))


def resident_bytes_and_threads(pid: int) -> tuple[int, int] | None:
    """Of one process; None where it is gone or the system does not say. Cheap enough to be read while an epoch is timed."""
    if sys.platform == "linux":  # by one small file; psutil opens several, at ten times the cost
        try:
            stat = stat_fields(pid)
        except (OSError, ValueError):
            return None
        return stat[21] * mmap.PAGESIZE, stat[17]
    try:
        process = psutil.Process(pid)
        return process.memory_info().rss, process.num_threads()
    except (psutil.Error, OSError):
        return None


def _memory(processes: Sequence[psutil.Process], fork_server: int | None) -> tuple[int | None, str | None, int | None]:
    """Bytes, the method, and the sum of PSS."""
    try:
        tree = _pages_of([process.pid for process in processes])
        server = _pages_of([] if fork_server is None else [fork_server])
    except (OSError, KeyError):
        pass
    else:
        if tree:
            shares = sum(pages.anonymous + pages.shared for pages in tree)
            inherited = sum(max(0, pages.anonymous - pages.own) for pages in server)
            return shares + inherited + max(pages.files for pages in tree), "pss", sum(pages.pss for pages in tree)
    try:
        own = sum(process.memory_full_info().uss for process in processes)
    except (psutil.Error, OSError, AttributeError):
        own = 0
    if own:
        return own, "uss", None
    try:
        resident = sum(process.memory_info().rss for process in processes)
    except (psutil.Error, OSError):
        resident = 0
    return (resident, "rss", None) if resident else (None, None, None)


def _pages_of(pids: Sequence[int]) -> list[_Pages]:
    """The pages of the processes that still exist; raises OSError or KeyError where the system does not say."""
    pages = []
    for pid in pids:
        try:
            pages.append(_Pages.of(pid))
        except (FileNotFoundError, ProcessLookupError):
            if not _ROLLUP.exists():
                raise
    return pages


@dataclass(frozen=True)
class _Pages:
    """Resident memory of a process in bytes: proportional shares of all, of anonymous and of shared pages; its own pages; mapped files."""

    pss: int
    anonymous: int
    shared: int
    own: int
    files: int

    @classmethod
    def of(cls, pid: int) -> _Pages:
        """From ``/proc``; raises OSError or KeyError where the system does not say, or the process is gone."""
        rollup, status = (_fields(Path(f"/proc/{pid}/{name}")) for name in ("smaps_rollup", "status"))
        # Once mapped files have been written back, private dirty pages are anonymous, and private clean pages belong to a file.
        return cls(rollup["Pss"], rollup["Pss_Anon"], rollup["Pss_Shmem"], rollup["Private_Dirty"], status["RssFile"])


def _fields(path: Path) -> dict[str, int]:
    """The lines in kB of a file in ``/proc``, in bytes."""
    sizes = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        words = value.split()
        if len(words) == 2 and words[1] == "kB":
            sizes[name] = int(words[0]) * 1024
    return sizes
