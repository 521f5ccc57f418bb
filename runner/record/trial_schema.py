"""The types of a trial in ``result.json``. Keys that are not required came later: records from before lack them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from runner.errors import ErrorRecord, FailedStatus
from runner.host.interpreter_facts import PythonFacts
from runner.host.load import HostLoad
from runner.host.usage import UsageRecord
from runner.monitor.schema import GpuRecord, MonitorRecord
from runner.record.consumer_schema import ConsumerRecord
from runner.trial.page_cache import CacheRecord


class EpochRecord(UsageRecord):
    """One timed pass. Stages are worker-seconds; latencies are None where no image succeeded."""

    released_at: float
    work_s: float
    images_ok: int
    images_failed: int
    images_per_s: float
    cpu_s: float
    latency_p50_s: float | None
    latency_p95_s: float | None
    latency_p99_s: float | None
    read_s: float
    task_s: float
    sink_s: float
    returned_bytes: NotRequired[int]
    returned_bytes_per_s: NotRequired[float]
    collect_cpu_s: NotRequired[float | None]
    sink_bytes: NotRequired[int]


class EndedPhase(UsageRecord):
    """A phase with what was used in it; ``at`` is Unix time."""

    name: str
    at: float
    wall_s: float


class OpenPhase(TypedDict):
    """The phase in which the trial ended unexpectedly."""

    name: str
    at: float
    wall_s: None


PhaseRecord = EndedPhase | OpenPhase


class GilRecord(TypedDict):
    """How long waking threads waited for the interpreter lock; without a wake-up in the epochs, only that there was none."""

    wakeups: int
    held_pct: float | None
    held_low_pct: NotRequired[float]
    held_high_pct: NotRequired[float]
    wait_p50_ms: NotRequired[float]
    wait_p95_ms: NotRequired[float]
    wait_max_ms: NotRequired[float]
    excludes_cpu_wait: NotRequired[bool]
    probe_cpu_s: float


# A number where all workers read back the same, otherwise the list of what they read back.
ThreadCount = int | list[int | None] | None


class ThreadSettings(TypedDict):
    """The thread settings as the workers read them back; None where the library was not loaded."""

    intra_op: ThreadCount
    inter_op: ThreadCount
    blas: ThreadCount
    opencv: NotRequired[ThreadCount]


class ServiceRecord(TypedDict):
    """A server beside the trial. A server that ended without a report has an ``error``."""

    pid: int
    cpu_s: float | None
    requests: NotRequired[int]
    bytes_sent: NotRequired[int]
    error: NotRequired[str]


class SinkRecord(TypedDict):
    """How the results were delivered. ``received``, ``duplicates`` and ``unacknowledged`` are None where this cannot be checked."""

    sent: int
    received: int | None
    bytes: int
    repeated: int
    duplicates: int | None
    unacknowledged: int | None
    checked: bool
    method: str
    problem: str | None
    receiver_cpu_s: NotRequired[float | None]


class NodeGpu(TypedDict):
    """A GPU of a cluster's node at its last reading; ``energy_j`` is from the first reading to the last."""

    name: str
    memory_total_bytes: int | None
    memory_bytes: int | None
    power_w: float | None
    temperature_c: float | None
    own_memory_bytes: int | None
    energy_j: float | None
    missing: dict[str, str]


class NodeGpus(TypedDict):
    """The GPUs of a node, or why there are none."""

    absent: str | None
    devices: list[NodeGpu]


class NodeRecord(TypedDict):
    """A node of a cluster, and what its workers used. ``elsewhere`` is whether it is another host than the trial's."""

    node: str
    id: str
    host: str
    elsewhere: bool
    workers: list[int]
    died: list[int]
    cpu_s: float | None
    cpu_user_s: float | None
    cpu_system_s: float | None
    cpus_usable: float | None
    memory_bytes: int | None
    memory_method: str | None
    clock_offset_s: float
    clock_error_s: float
    gpu: NodeGpus


class TrialCpu(TypedDict):
    """CPU seconds of a trial, and how they were measured."""

    cpu_s: float | None
    cpu_user_s: float | None
    cpu_system_s: float | None
    cpu_method: NotRequired[str | None]


class TrialPeaks(TypedDict):
    """The most memory, threads and processes of a trial."""

    peak_memory_bytes: int | None
    peak_memory_method: NotRequired[str | None]
    memory_at_pauses_bytes: NotRequired[list[int | None]]
    threads_peak: int | None
    processes_peak: int | None


class AnyTrial(TrialCpu, TrialPeaks):
    """What every trial has, however it ended. ``session`` is the block of trials that ran without a gap."""

    round: int
    order: int
    session: str
    started_at: float
    ended_at: float
    cpus: NotRequired[list[int] | None]
    cpus_usable: float
    phases: list[PhaseRecord]
    epochs: list[EpochRecord]
    image_errors: dict[str, str]
    services: NotRequired[dict[str, ServiceRecord]]
    gpu: GpuRecord
    sink: NotRequired[SinkRecord | None]
    gil: NotRequired[GilRecord | None]
    nodes: NotRequired[list[NodeRecord]]
    cache: NotRequired[CacheRecord | None]
    consumer: NotRequired[ConsumerRecord | None]
    # Of the trial's interpreter where that is not the program's, read back in it.
    python: NotRequired[PythonFacts | None]
    # What a mode says of its backend: free-form, each mode has keys of its own.
    backend: NotRequired[dict[str, Any]]


class Reported(TypedDict):
    """What a trial reports of itself at its end. ``total_s`` is start-up, work and teardown."""

    startup_s: float
    warmup_s: float
    work_s: float
    teardown_s: float
    total_s: float
    import_s: float
    worker_import_s: float
    preload_s: float | None
    tf: ThreadSettings
    workers: int
    digest: str


class GoodTrial(AnyTrial, Reported):
    """A trial that succeeded."""

    status: Literal["ok"]
    error: None
    host: HostLoad
    monitor: MonitorRecord


class Unwatched(TypedDict):
    """In the place of what was observed, where the trial was not watched: an empty object."""


class FailedTrial(AnyTrial):
    """A trial that did not finish, or whose results are not to be used. None is what is not known."""

    status: FailedStatus
    error: ErrorRecord
    startup_s: float | None
    warmup_s: float | None
    work_s: float | None
    teardown_s: float | None
    total_s: float | None
    import_s: float | None
    worker_import_s: float | None
    preload_s: float | None
    tf: ThreadSettings | None
    workers: int | None
    digest: str | None
    host: HostLoad | Unwatched
    monitor: MonitorRecord | Unwatched


TrialRecord = GoodTrial | FailedTrial
