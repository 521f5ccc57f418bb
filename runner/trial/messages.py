"""The messages between a trial and its supervisor: its plan, its progress and its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.host.memory import Footprint
from runner.host.usage import Usage
from runner.modes import ModePlan, Worker
from runner.pipeline.sinks import Sent
from runner.pipeline.stamps import Records
from runner.trial.gil_probe import GilWaits
from runner.trial.page_cache import CachePlan, CacheReport


@dataclass(frozen=True)
class TrialPlan:
    """All that a trial is built from.

    Attributes:
        mode_module: the module that provides the mode.
        mode: what the mode is built from.
        items: images in an epoch.
        epochs, warmup_epochs: how many passes are timed, and how many come before.
        cpus: the CPUs that the trial and its workers may use; None for all that this process may.
        gil_probe: whether the time that a waking thread waits for Python's interpreter lock is measured.
        cache: what is done about the system's page cache before epochs.
        log: the file for what the trial's processes print; None for this process's own streams.
    """

    mode_module: str
    mode: ModePlan
    items: int
    epochs: int
    warmup_epochs: int
    log: str | None
    cpus: tuple[int, ...] | None = None
    gil_probe: bool = False
    cache: CachePlan = field(default_factory=CachePlan)

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its mode, task or sink uses TensorFlow; otherwise the trial does not import it."""
        pipeline = self.mode.pipeline
        return any(option.uses_tensorflow for option in (self.mode.mode, pipeline.task, pipeline.sink))


@dataclass(frozen=True)
class Phase:
    """The trial enters a phase: import, startup, warmup, epoch, pause, verify, teardown, end.

    Attributes:
        name: the phase.
        at_ns: on the clock that all processes of a machine share (``time.perf_counter_ns``).
        pids: the processes of the trial's tree that are known by now, the trial first.
        usage: what the tree has used by now, since the trial's process began.
    """

    name: str
    at_ns: int
    pids: tuple[int, ...]
    usage: Usage


@dataclass(frozen=True)
class Progress:
    """How many items of an epoch are done; warm-up epochs have no number."""

    epoch: int | None
    done: int


@dataclass(frozen=True)
class EpochReport:
    """One timed pass.

    Attributes:
        released_ns, finished_ns: on the shared clock; the difference is ``work_s``.
        cpu_s: CPU seconds of the trial and its workers between the two, by the clocks of the processes.
        usage: the same stretch by the kernel's accounting, which includes the cost of the accounting itself: about 50 µs of CPU for each process.
        records: one for each item.
        collect_cpu_s: CPU seconds of the trial's thread that takes back what worker processes send; one at a time, so that it bounds
            how many can come back. None where workers are threads.
    """

    released_ns: int
    finished_ns: int
    cpu_s: float
    usage: Usage
    records: Records
    collect_cpu_s: float | None = None


@dataclass(frozen=True)
class Report:
    """A trial that finished. Seconds are wall-clock seconds unless their name says CPU.

    Attributes:
        import_s: the time of this process's imports; close to 0 where the fork server has made them already.
        preload_s: what the fork server had spent on imports, before the first trial; None where there is none.
        startup_s, warmup_s, teardown_s: as in the record.
        workers: what each worker process said when it was ready.
        epochs: the timed passes.
        verification: digests of the different images.
        sent: what went to the sink in each pass, warm-up first.
        footprint: the largest at the pauses.
        memory_bytes: of the tree at each pause: when every worker was ready, and after the last epoch.
        cpus: the CPUs that the trial may use, read back; None where the system does not say.
        backend: what the mode says of itself, such as what was chosen for it.
        nodes: of a cluster, each with what its workers used; empty without a cluster.
        node_of: the node of each worker that ever ran, by the worker's number; empty without a cluster.
        gil: how long a waking thread waited for Python's interpreter lock; None where that was not asked for, or is not known.
        cache: what was done about the page cache; None where it was left as it is.
    """

    import_s: float
    preload_s: float | None
    startup_s: float
    warmup_s: float
    teardown_s: float
    workers: tuple[Worker, ...]
    epochs: tuple[EpochReport, ...]
    verification: Records
    footprint: Footprint
    memory_bytes: tuple[int | None, int | None] = (None, None)
    cpus: tuple[int, ...] | None = None
    gil: GilWaits | None = None
    backend: Mapping[str, Any] = field(default_factory=dict)
    nodes: tuple[Mapping[str, Any], ...] = ()
    node_of: Mapping[int, str] = field(default_factory=dict)
    sent: tuple[Sent, ...] = ()
    cache: CacheReport | None = None


@dataclass(frozen=True)
class TrialFailure:
    """A trial's own report that it failed; ``status`` is as in the record."""

    status: str
    kind: str
    message: str
    traceback: str
