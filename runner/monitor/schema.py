"""The types of the monitor's parts of a record."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class GpuDevice(TypedDict):
    """One device over the timed epochs. A figure that is not known is None, and ``missing`` has the reason."""

    name: str
    memory_total_bytes: int | None
    utilization_pct: float | None
    memory_peak_bytes: float | None
    power_w: float | None
    energy_j: float | None
    temperature_c: float | None
    own_utilization_pct: float | None
    own_memory_peak_bytes: float | None
    missing: dict[str, str]


class GpuRecord(TypedDict):
    """The devices of a trial; ``absent`` says why there are none."""

    absent: str | None
    driver: NotRequired[str | None]
    devices: list[GpuDevice]


class GpuMetrics(TypedDict, total=False):
    """The metrics of a trial that has GPUs; a figure that no device provides is left out."""

    gpu_utilization_pct: float
    gpu_memory_mb: float
    gpu_memory_pct: float
    gpu_power_w: float
    gpu_energy_j_per_image: float


class MonitorRecord(TypedDict):
    """How well a trial was watched, and what that cost."""

    enabled: bool
    interval_s: float | None
    samples: int
    gaps: int
    gaps_s: float
    longest_gap_s: float
    cpu_s: float
    cpu_pct_of_a_core: float | None
