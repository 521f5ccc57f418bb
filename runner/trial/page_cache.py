"""Fills the system's page cache with the images or drops them from it, before epochs and outside the timed stretches."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TypedDict

from runner.config.options import Cache
from runner.host.page_cache import can_drop, drop, resident_bytes

_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class CachePlan:
    """What to do, and with which files; each is named once."""

    kind: Cache = Cache.as_is
    paths: Sequence[str] = ()


class CacheRecord(TypedDict):
    """A ``CacheReport`` as records have it."""

    kind: str
    files: int
    size_bytes: int
    times: int
    took_s: float
    resident_bytes: int | None
    cannot: str | None


@dataclass
class CacheReport:
    """What was done.

    Attributes:
        kind: ``as_is``, ``warm`` or ``cold``, as the user asked.
        files, size_bytes: the number of files, and their total size.
        times: how often it was done.
        took_s: wall-clock seconds, which no other figure contains.
        resident_bytes: the most that was in memory afterwards, by ``mincore``; None where the system does not say.
        cannot: why it was not done or cannot be confirmed; None if it was done.
    """

    kind: str
    files: int = 0
    size_bytes: int = 0
    times: int = 0
    took_s: float = 0.0
    resident_bytes: int | None = None
    cannot: str | None = None

    def record(self) -> CacheRecord:
        """As ``result.json`` has it."""
        return {
            "kind": self.kind,
            "files": self.files,
            "size_bytes": self.size_bytes,
            "times": self.times,
            "took_s": self.took_s,
            "resident_bytes": self.resident_bytes,
            "cannot": self.cannot,
        }


@dataclass
class PageCache:
    """The page cache, as far as it holds the images of one trial."""

    plan: CachePlan
    report: CacheReport = field(init=False)

    def __post_init__(self) -> None:
        self.report = CacheReport(self.plan.kind.value, files=len(self.plan.paths))

    @property
    def cold(self) -> bool:
        """Whether there is something to do before each epoch."""
        return self.plan.kind is Cache.cold

    def fail(self, reason: str) -> None:
        """Record why what was asked for cannot be done everywhere."""
        if self.plan.kind is not Cache.as_is:
            self.report.cannot = reason

    def before_the_first_epoch(self) -> None:
        """Read every file once, if the cache is to be warm."""
        if self.plan.kind is Cache.warm:
            self._with_all(_read)

    def before_each_epoch(self) -> None:
        """Drop every file and check that it is gone, if the cache is to be cold."""
        if not self.cold:
            return
        if not can_drop():
            self.report.cannot = "this system has no posix_fadvise"
            return
        self._with_all(drop)

    def _with_all(self, act: Callable[[int], None]) -> None:
        report, began = self.report, perf_counter()
        sizes, resident = 0, [0]
        for path in self.plan.paths:
            try:
                handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
            except OSError as error:
                report.cannot = f"a file cannot be opened: {error.strerror}"
                continue
            try:
                sizes += os.fstat(handle).st_size
                act(handle)
                known = resident_bytes(handle)
                resident = [] if known is None else [bytes_ + known for bytes_ in resident]
            except OSError as error:
                report.cannot = f"a file cannot be dropped or read: {error.strerror}"
            finally:
                os.close(handle)
        report.times += 1
        report.size_bytes = sizes
        report.took_s += perf_counter() - began
        self._judge(resident[0] if resident else None)

    def _judge(self, resident: int | None) -> None:
        report = self.report
        if resident is None:
            report.cannot = report.cannot or (self.cold and "this system does not report which pages are in memory") or None
            return
        report.resident_bytes = resident if report.resident_bytes is None else max(report.resident_bytes, resident)
        if self.plan.kind is Cache.warm and resident < report.size_bytes:
            report.cannot = (
                f"{resident / 1e6:.1f} of {report.size_bytes / 1e6:.1f} MB stayed in memory, which is too small for all files"
            )
        if self.cold and resident:
            report.cannot = (
                f"{resident / 1e6:.1f} of {report.size_bytes / 1e6:.1f} MB stayed in memory: the file system is in memory, or another "
                "program has the files open"
            )


def _read(handle: int) -> None:
    while os.read(handle, _READ_BYTES):
        pass
