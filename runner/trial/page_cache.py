"""What is done about the system's page cache before an epoch, outside the timed stretch: nothing, fill it, or empty it of the images."""

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
    """What is to be done, and with which files; each is named once."""

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
        kind: ``as_is``, ``warm`` or ``cold``, as it was asked for.
        files, size_bytes: how many there are, and how large they are together.
        times: how often it was done.
        took_s: wall-clock seconds, in no other figure.
        resident_bytes: the most that was in memory after it, by ``mincore``; None where that is not known.
        cannot: why it has not been done or cannot be confirmed; None where it has been done.
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

    def cannot_be(self, reason: str) -> None:
        """What was asked for cannot be done, or not everywhere."""
        if self.plan.kind is not Cache.as_is:
            self.report.cannot = reason

    def before_the_first_epoch(self) -> None:
        """Read every file once, where it is to be warm."""
        if self.plan.kind is Cache.warm:
            self._with_all(_read)

    def before_each_epoch(self) -> None:
        """Drop every file, where it is to be cold; then look whether it is gone."""
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
                f"{resident / 1e6:.1f} of {report.size_bytes / 1e6:.1f} MB stayed in memory, which is too small for all"
            )
        if self.cold and resident:
            report.cannot = (
                f"{resident / 1e6:.1f} of {report.size_bytes / 1e6:.1f} MB stayed in memory: a file system in memory, or another "
                "program has them open"
            )


def _read(handle: int) -> None:
    while os.read(handle, _READ_BYTES):
        pass
