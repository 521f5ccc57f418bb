"""The names of the metrics, with their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

# Every run has these, whatever was run.
CommonMetric = Literal[
    "images_per_s",
    "total_s",
    "startup_s",
    "work_s",
    "teardown_s",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "cpu_s_per_image",
    "cpu_utilization_pct",
    "peak_memory_mb",
    "images_ok",
    "images_failed",
]

# Only a run on a host with a GPU has these.
GpuMetric = Literal["gpu_utilization_pct", "gpu_memory_mb", "gpu_memory_pct", "gpu_power_w", "gpu_energy_j_per_image"]

# Only a run with a consumer has these.
ConsumerMetric = Literal["accelerator_utilization_pct", "steps_per_s", "step_wait_ms", "first_batch_s", "consumed_images_per_s"]

MetricName = Literal[CommonMetric, GpuMetric, ConsumerMetric]

METRICS: tuple[CommonMetric, ...] = get_args(CommonMetric)
CONSUMER_METRICS: tuple[ConsumerMetric, ...] = get_args(ConsumerMetric)

# What people ask for, and the metric that answers it.
CRITERIA: Mapping[str, CommonMetric] = {
    "throughput": "images_per_s",
    "latency": "latency_p95_ms",
    "memory": "peak_memory_mb",
    "cost": "cpu_s_per_image",
}


def objectives_of(objective: Any) -> tuple[MetricName, ...]:
    """The metrics that ``objective`` names: one, or those of a list."""
    return tuple(objective) if isinstance(objective, Sequence) and not isinstance(objective, str) else (objective,)
