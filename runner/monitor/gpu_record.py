"""The record of each GPU during a trial, from the monitor's samples."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # readers of records take no samples
    from runner.host.gpu import Gpus, GpuSample
    from runner.monitor.sampler import Sample
from runner.monitor.schema import GpuDevice, GpuMetrics, GpuRecord

_Figure = Literal["utilization_pct", "memory_peak_bytes", "memory_total_bytes", "power_w", "energy_j"]


def gpu_record(gpus: Gpus, samples: Sequence[Sample], *, sampled: bool) -> GpuRecord:
    """For each device: means and peaks over the timed epochs, the energy used in them, and why a figure is missing.

    ``utilization_pct`` and ``power_w`` are means over samples; ``energy_j`` is the difference of the device's own counter, which
    steps every 10 to 100 ms; memory and temperature are the largest seen. ``own_`` is the trial's share.
    """
    if not gpus.devices:
        return {"absent": gpus.absent, "devices": []}
    if not sampled:
        return {"absent": "not sampled: monitor=off", "devices": []}
    devices: list[GpuDevice] = []
    for index, device in enumerate(gpus.devices):
        during = [sample.gpus[index] for sample in samples if sample.phase == "epoch" and sample.gpus]
        devices.append(
            {
                "name": device.name,
                "memory_total_bytes": device.memory_bytes,
                "utilization_pct": _over(statistics.fmean, during, "utilization_pct"),
                "memory_peak_bytes": _over(max, during, "memory_bytes"),
                "power_w": _over(statistics.fmean, during, "power_w"),
                "energy_j": _energy_j(samples, index),
                "temperature_c": _over(max, during, "temperature_c"),
                "own_utilization_pct": _over(statistics.fmean, during, "own_utilization_pct"),
                "own_memory_peak_bytes": _over(max, during, "own_memory_bytes"),
                "missing": dict(device.missing),
            }
        )
    return {"absent": None, "driver": gpus.driver, "devices": devices}


def gpu_metrics(record: GpuRecord, images: int) -> GpuMetrics:
    """The metrics of a trial that has GPUs, over all of them; a figure that no device provides is left out.

    ``gpu_utilization_pct`` is the mean over devices, ``gpu_memory_mb`` and ``gpu_power_w`` are sums.
    """
    devices = record["devices"]

    def known(name: _Figure) -> list[float]:
        return [value for device in devices if (value := device[name]) is not None]

    metrics: GpuMetrics = {}
    if values := known("utilization_pct"):
        metrics["gpu_utilization_pct"] = statistics.fmean(values)
    if values := known("memory_peak_bytes"):
        metrics["gpu_memory_mb"] = sum(values) / 1e6
        if len(totals := known("memory_total_bytes")) == len(values):
            metrics["gpu_memory_pct"] = sum(values) / sum(totals) * 100
    if values := known("power_w"):
        metrics["gpu_power_w"] = sum(values)
    if (values := known("energy_j")) and images:
        metrics["gpu_energy_j_per_image"] = sum(values) / images
    return metrics


def _over(statistic: Callable[[Sequence[float]], float], samples: Sequence[GpuSample], name: str) -> float | None:
    values = [value for sample in samples if (value := getattr(sample, name)) is not None]
    return statistic(values) if values else None


def _energy_j(samples: Sequence[Sample], index: int) -> float | None:
    """By how much the energy counter rose during the epochs; an epoch begins where the phase before it ended."""

    def readings() -> Iterator[tuple[str, float]]:
        for sample in samples:
            if sample.gpus and sample.gpus[index].energy_j is not None:
                yield sample.phase, sample.gpus[index].energy_j or 0.0

    counter = list(readings())
    steps = [later - before for (_, before), (phase, later) in itertools.pairwise(counter) if phase == "epoch"]
    return sum(steps) if steps else None
