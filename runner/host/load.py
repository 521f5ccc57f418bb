"""The state of the host around a trial: other programs' CPU use, throttling, pressure. None is what the system does not provide."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, TypeVar

import psutil

from runner.host.control_groups import throttling

T = TypeVar("T")
Number = TypeVar("Number", int, float)

_PRESSURES = ("cpu", "memory", "io")


def busy_and_total_s() -> tuple[float, float] | None:
    """Seconds that the host's CPUs were busy since it started, and all their seconds since then; None where the system does not say."""
    try:
        times = psutil.cpu_times()
    except (psutil.Error, OSError):
        return None
    total = sum(times[:8])  # guest time, where there is any, is in user time already
    return total - times.idle - getattr(times, "iowait", 0.0), total


class HostLoad(TypedDict):
    """The load of the host during a trial; None is what the system does not provide."""

    other_cpu_pct: float | None
    stolen_pct: float | None
    load_1m_before: float | None
    load_1m_after: float | None
    frequency_mhz_before: float | None
    frequency_mhz_after: float | None
    throttled_s: float | None
    throttled_periods: int | None
    pressure_cpu_pct: float | None
    pressure_memory_pct: float | None
    pressure_io_pct: float | None


@dataclass(frozen=True)
class HostState:
    """Counters and readings of the host at one moment.

    Attributes:
        total_s, busy_s, stolen_s: CPU seconds over all CPUs since the host started; time stolen by other virtual machines is not busy.
        pressure_us: for ``cpu``, ``memory`` and ``io``, the microseconds in which at least one task waited for it (PSI).
        throttled_s, throttled_periods: how long, and in how many periods, this program's control group was stopped at its quota.
        load_1m: runnable tasks, averaged over a minute.
        frequency_mhz: averaged over the CPUs.
    """

    total_s: float | None
    busy_s: float | None
    stolen_s: float | None
    pressure_us: dict[str, int]
    throttled_s: float | None
    throttled_periods: int | None
    load_1m: float | None
    frequency_mhz: float | None

    @classmethod
    def now(cls) -> HostState:
        """Read everything. It takes about a millisecond, so it must not run while anything is timed."""
        total_s = busy_s = stolen_s = None
        with contextlib.suppress(psutil.Error, OSError):
            times = psutil.cpu_times()
            total_s = sum(times[:8])
            stolen_s = getattr(times, "steal", None)
            busy_s = total_s - times.idle - getattr(times, "iowait", 0.0) - (stolen_s or 0.0)
        throttled = throttling()
        return cls(
            total_s=total_s,
            busy_s=busy_s,
            stolen_s=stolen_s,
            pressure_us={what: waited for what in _PRESSURES if (waited := _pressure_us(what)) is not None},
            throttled_s=throttled and throttled[0],
            throttled_periods=throttled and throttled[1],
            load_1m=_value_of(_load_1m),
            frequency_mhz=_value_of(_frequency_mhz),
        )

    def until(self, later: HostState, wall_s: float, trial_cpu_s: float | None) -> HostLoad:
        """The load between this moment and ``later``.

        100 % is all CPUs of the host. ``pressure_*_pct`` is the share of the time in which some task waited for the resource, be it a
        task of the trial or of another program. ``other_cpu_pct`` includes the conductor's own use, which is small.
        """
        others = stolen = None
        if self.total_s is not None and later.total_s is not None and self.busy_s is not None and later.busy_s is not None:
            total_s = max(later.total_s - self.total_s, 1e-3)
            others = min(100.0, max(0.0, later.busy_s - self.busy_s - (trial_cpu_s or 0.0)) / total_s * 100)
            if self.stolen_s is not None and later.stolen_s is not None:
                stolen = max(0.0, later.stolen_s - self.stolen_s) / total_s * 100
        return {
            "other_cpu_pct": others,
            "stolen_pct": stolen,
            "load_1m_before": self.load_1m,
            "load_1m_after": later.load_1m,
            "frequency_mhz_before": self.frequency_mhz,
            "frequency_mhz_after": later.frequency_mhz,
            "throttled_s": _difference(self.throttled_s, later.throttled_s),
            "throttled_periods": _difference(self.throttled_periods, later.throttled_periods),
            "pressure_cpu_pct": self._pressure_pct(later, "cpu", wall_s),
            "pressure_memory_pct": self._pressure_pct(later, "memory", wall_s),
            "pressure_io_pct": self._pressure_pct(later, "io", wall_s),
        }

    def _pressure_pct(self, later: HostState, what: str, wall_s: float) -> float | None:
        waited = _difference(self.pressure_us.get(what), later.pressure_us.get(what))
        return None if waited is None or wall_s <= 0 else min(100.0, waited * 1e-6 / wall_s * 100)


def _difference(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else max(0, after - before)


def _value_of(reading: Callable[[], T]) -> T | None:
    """What ``reading`` returns; None where the system does not provide it."""
    try:
        return reading()
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return None


def _load_1m() -> float | None:
    if sys.platform == "win32":
        return None
    return os.getloadavg()[0]


def _frequency_mhz() -> float | None:
    frequency = psutil.cpu_freq()
    return None if frequency is None or not frequency.current else float(frequency.current)


def _pressure_us(what: str) -> int | None:
    """The total of the line ``some``; see Documentation/accounting/psi.rst of the kernel."""
    try:
        line = Path(f"/proc/pressure/{what}").read_text().splitlines()[0]
        return int(line.rpartition("total=")[2])
    except (OSError, ValueError, IndexError):
        return None
