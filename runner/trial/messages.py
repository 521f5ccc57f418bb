"""The messages between a trial and its supervisor: its plan, its progress and its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from runner.disk import Hook
from runner.host.interpreter_facts import PythonFacts
from runner.host.memory import Footprint
from runner.host.usage import Usage
from runner.modes import Mode, ModePlan, Worker
from runner.pipeline.own_code import CodePlan
from runner.pipeline.sinks import Sent
from runner.pipeline.stamps import Records
from runner.trial.gil_probe import GilWaits
from runner.trial.page_cache import CachePlan, CacheReport
from runner.trial.steps import ConsumerPlan, ConsumerReport


@dataclass(frozen=True)
class TrialPlan:
    """Everything that a trial is built from.

    Attributes:
        mode_module: the module that provides the mode.
        mode: what the mode is built from.
        items: images in an epoch.
        epochs, warmup_epochs: the number of timed passes, and of passes before them.
        cpus: the CPUs that the trial and its workers may use; None for those of this process.
        gil_probe: whether to measure how long a waking thread waits for Python's interpreter lock.
        cache: what is done about the system's page cache before epochs.
        disk_hook: is called before each change of a file, so that a test can let it fail; None outside of tests.
        log: the file that gets what the trial's processes print; None leaves it on this process's own streams.
        consumer: who takes the results; None without one.
        python: the executable of another interpreter, by which the trial runs; None for this one.
        code: where functions of the user's own are looked for, if that is not what this process has on its path.
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
    disk_hook: Hook | None = None
    consumer: ConsumerPlan | None = None
    python: str | None = None
    code: CodePlan | None = None

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its mode, task, sink or consumer uses TensorFlow; otherwise the trial does not import it."""
        pipeline = self.mode.pipeline
        options = [self.mode.mode, pipeline.task, pipeline.sink, *([] if self.consumer is None else [self.consumer.option])]
        return any(option.uses_tensorflow for option in options)


def mode_class(plan: TrialPlan) -> type[Mode]:
    """The class of the plan's mode; ``Mode`` itself if the module provides a function that makes one."""
    provided = import_module(plan.mode_module).PROVIDES
    return provided if isinstance(provided, type) and issubclass(provided, Mode) else Mode


@dataclass(frozen=True)
class Phase:
    """The trial enters a phase: import, startup, warmup, epoch, pause, verify, teardown, end.

    Attributes:
        name: the phase.
        at_ns: on the clock that all processes of a machine share (``time.perf_counter_ns``).
        pids: the known processes of the trial's tree, the trial first.
        usage: of the tree since the trial's process began.
    """

    name: str
    at_ns: int
    pids: tuple[int, ...]
    usage: Usage


@dataclass(frozen=True)
class Progress:
    """How many items of an epoch are done; ``epoch`` is None in a warm-up epoch."""

    epoch: int | None
    done: int


@dataclass(frozen=True)
class EpochReport:
    """One timed pass.

    Attributes:
        released_ns, finished_ns: on the shared clock; the difference is ``work_s``.
        cpu_s: CPU seconds of the trial and its workers between the two, by the clocks of the processes.
        usage: of the same stretch by the kernel's accounting. It includes the cost of reading it, about 50 µs of CPU for each process.
        records: one for each item.
        collect_cpu_s: CPU seconds of the trial's one thread that receives what worker processes send. It handles one result at a time, so
            it bounds the throughput. None if workers are threads.
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
        import_s: the time of this process's imports; close to 0 after a fork server has made them.
        preload_s: the time that the fork server spent on imports before the first trial; None without a fork server.
        startup_s, warmup_s, teardown_s: as in the record.
        workers: as each reported when it was ready.
        epochs: the timed passes.
        verification: with the digests of the different images' results.
        sent: what went to the sink in each pass, warm-up first.
        footprint: the largest at the pauses.
        memory_bytes: of the tree at each pause: when every worker was ready, and after the last epoch.
        cpus: the CPUs that the trial may use, read back; None where the system does not say.
        backend: facts about the mode, such as settings that were chosen automatically.
        nodes: of a cluster, each with the usage of its workers; empty without a cluster.
        node_of: the node of each worker that ever ran, by the worker's number; empty without a cluster.
        gil: how long a waking thread waited for Python's interpreter lock; None if that was not asked for, or cannot be measured.
        cache: what was done about the page cache; None if nothing was done.
        consumer: what the consumer did; None without one.
        python: of this process, where it is of another interpreter; None otherwise.
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
    consumer: ConsumerReport | None = None
    python: PythonFacts | None = None


@dataclass(frozen=True)
class TrialFailure:
    """A trial's own report that it failed; ``status`` is as in the record."""

    status: str
    kind: str
    message: str
    traceback: str
