"""The types of metrics: of one trial, and of a point over its trials."""

from __future__ import annotations

from typing import TypedDict

from runner.config.metrics import MetricName
from runner.monitor.schema import GpuMetrics
from runner.record.consumer_schema import ConsumerMetrics

__all__ = ["MetricName", "MetricSummary", "Metrics", "TrialMetrics"]


class TrialMetrics(GpuMetrics, ConsumerMetrics):
    """The metrics of one trial that succeeded. None is what is not known; metrics of a GPU and of a consumer are there where these are."""

    images_per_s: float
    total_s: float
    startup_s: float
    work_s: float
    teardown_s: float
    latency_p50_ms: float
    latency_p95_ms: float
    latency_p99_ms: float
    cpu_s_per_image: float
    cpu_utilization_pct: float
    peak_memory_mb: float | None
    images_ok: int
    images_failed: int


class MetricSummary(TypedDict):
    """A metric over the trials of a point: its median, the ends of a 95 % interval, and the number of trials that have a value.

    ``value`` is None where no trial has one, ``low`` and ``high`` where there are too few for an interval.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class Metrics(TypedDict, total=False):
    """The metrics of a point. It is empty where no trial succeeded, and has metrics of a GPU and of a consumer where these are."""

    images_per_s: MetricSummary
    total_s: MetricSummary
    startup_s: MetricSummary
    work_s: MetricSummary
    teardown_s: MetricSummary
    latency_p50_ms: MetricSummary
    latency_p95_ms: MetricSummary
    latency_p99_ms: MetricSummary
    cpu_s_per_image: MetricSummary
    cpu_utilization_pct: MetricSummary
    peak_memory_mb: MetricSummary
    images_ok: MetricSummary
    images_failed: MetricSummary
    gpu_utilization_pct: MetricSummary
    gpu_memory_mb: MetricSummary
    gpu_memory_pct: MetricSummary
    gpu_power_w: MetricSummary
    gpu_energy_j_per_image: MetricSummary
    accelerator_utilization_pct: MetricSummary
    steps_per_s: MetricSummary
    step_wait_ms: MetricSummary
    first_batch_s: MetricSummary
    consumed_images_per_s: MetricSummary
