"""The concurrency backends: one file each, all with the same three verbs: start, run an epoch, stop.

The file of a mode holds a subclass of ``Mode`` and names it ``PROVIDES``, where the registry looks for it. Nothing else is needed.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from runner.errors import TrialError
from runner.host.affinity import allowed_cpus
from runner.host.interpreter_facts import has_lock
from runner.host.memory import Footprint
from runner.host.usage import Usage, largest_resident_bytes, own_usage
from runner.modes.workers.queues import LONGEST_RUN
from runner.modes.workers.runtime import ThreadLimits, Threads
from runner.pipeline.batches import Batching
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class ModePlan:
    """What a mode is built from.

    Attributes:
        mode: its option.
        workers: how many.
        limits: of TensorFlow's and BLAS's threads in each worker.
        pipeline: what the workers do.
        spool: a file for records that do not fit in memory; None keeps all of them in memory.
        batches: how results are put into batches for a consumer; None without a consumer.
        seed: of what a mode leaves to chance.
    """

    mode: Any
    workers: int
    limits: ThreadLimits
    pipeline: PipelinePlan
    spool: str | None = None
    batches: Batching | None = None
    seed: int = 0

    def longest_run(self, takers: int) -> int:
        """How many items a worker takes at once, at most: of items that wait for those before them, there should not be many."""
        if self.batches is None or not self.batches.kept:
            return LONGEST_RUN
        return min(LONGEST_RUN, self.batches.longest_run(takers))


@dataclass(frozen=True)
class Epoch:
    """One pass over ``items`` items; with ``verify``, each result is hashed and nothing is timed.

    ``number`` counts passes from 0, warm-up included.
    """

    items: int
    verify: bool = False
    number: int = 0


@dataclass(frozen=True)
class Worker:
    """What a worker process reports when it is ready. All workers of a thread mode are in one process, which reports once.

    Attributes:
        pid: the process.
        threads: TensorFlow's and BLAS's thread counts, read back from their runtimes.
        import_s: how long this process took to import what the task needs; 0 where it was imported already.
        cpus: the CPUs it may use, read back; None where the system does not say, or where they are another host's.
        remote: whether it is on another host, where ``pid`` means nothing to this one.
        gil: whether its interpreter has one lock for all threads, read back after all imports.
    """

    pid: int
    threads: Threads
    import_s: float
    cpus: tuple[int, ...] | None = None
    remote: bool = False
    gil: bool = True

    @classmethod
    def this_process(cls, threads: Threads, import_s: float = 0.0) -> Worker:
        """The report of the calling process."""
        return cls(os.getpid(), threads, import_s, allowed_cpus(), gil=has_lock())


# A process of this host by its pid, a process of another host by a word of the mode's own.
WorkerId = int | str


@dataclass(frozen=True)
class WorkerUsage:
    """What a worker process has used since it was born, and the most memory it ever had resident."""

    usage: Usage
    largest_resident_bytes: int | None

    @classmethod
    def this_process(cls) -> WorkerUsage:
        """The usage of the calling process."""
        return cls(own_usage(), largest_resident_bytes())


# Called with the number of items that may be handled now: a worker asks again for the item with that number.
GoOn = Callable[[int], object]


class Intake(Protocol):
    """Takes the results of one epoch, once each, for the consumer. Any thread may call it.

    Where the order is kept, workers wait before they handle an item that is far ahead of the batch in the making: otherwise results would pile
    up. The first item that is missing is never early. Where results are taken as they come, whoever brings one waits until there is room.
    """

    def is_early(self, item: int) -> bool:
        """Whether an item is not to be handled yet."""

    def when_due(self, item: int, go_on: GoOn) -> None:
        """Call ``go_on`` once the item may be handled: now, or later and from another thread."""

    def wait(self, item: int) -> None:
        """Return when the item may be handled.

        Raises:
            TrialError: the consumer has failed.
        """

    def check(self) -> None:
        """Go on, unless the consumer has failed.

        Raises:
            TrialError: it has.
        """

    def result(self, item: int, array: Any, *, lasting: bool) -> None:
        """Take the result of an item; an array that is not ``lasting`` is good as long as this call takes.

        Raises:
            TrialError: the consumer has failed, or the results cannot be stacked.
        """

    def missed(self, item: int) -> None:
        """An item has failed and has no result."""

    def batch(self, items: Sequence[int], array: Any) -> None:
        """Take a batch that the mode itself has made, with the numbers of its items.

        Raises:
            TrialError: the consumer has failed.
        """


class EpochEvents(Protocol):
    """What a mode reports while it runs an epoch. The trial, which takes the time, listens.

    Attributes:
        intake: takes the results; None without a consumer, and while they are verified.
    """

    @property
    def intake(self) -> Intake | None: ...

    def released(self) -> None:
        """Every worker stands ready; the mode releases them when this returns."""

    def progress(self, done: int) -> None:
        """``done`` items are done; called now and then."""

    def finished(self) -> None:
        """The last result is back in the trial, and taken where somebody takes it."""


class Mode(ABC):
    """A concurrency backend, built in the trial.

    Attributes:
        forks: whether ``start`` forks this process, which must then have one thread and no TensorFlow runtime.
        imports_here: whether this process must import what the task needs before ``start``.
    """

    forks: bool = False
    imports_here: bool = True

    @abstractmethod
    def __init__(self, plan: ModePlan) -> None:
        """Prepare, but start nothing."""

    @abstractmethod
    def start(self) -> Sequence[Worker]:
        """Get every worker ready: threads limited, TensorFlow's runtime started, task built.

        Raises:
            TrialError: a worker could not be started.
        """

    @abstractmethod
    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        """Take all items through the pipeline. Returns one record for each item, and the receipt of what went to the sink.

        Raises:
            TrialError: a worker died.
        """

    @abstractmethod
    def stop(self) -> None:
        """Return when every worker is gone."""

    def worker_usage(self) -> Mapping[WorkerId, WorkerUsage]:
        """The usage of each worker process that can be asked for it; the trial does so while no epoch is timed.

        Raises:
            TrialError: a worker died.
        """
        return {}

    def facts(self) -> Mapping[str, Any]:
        """What the record says of this backend beyond what it says of every mode."""
        return {}

    @staticmethod
    def why_silent(option: Any) -> TrialError | None:  # noqa: ARG004  (a mode that knows a reason needs it)
        """In the conductor: the reason why a trial with this option ended without a report; None where the mode knows none."""
        return None

    @staticmethod  # noqa: B027  (most modes leave nothing behind)
    def after_trial(pid: int) -> None:
        """Remove what the trial with this process id left behind other than processes, if it was killed.

        In the conductor; in the trial itself where the conductor is gone.
        """


class ClusterMode(Mode):
    """A mode whose workers are on the nodes of a cluster, and may be replaced in the middle of an epoch.

    Workers report their own usage, also those that have ended: the kernel does not add it to the trial's.
    """

    @abstractmethod
    def workers(self) -> Sequence[Worker]:
        """The workers as they are now."""

    @abstractmethod
    def node_of(self) -> Mapping[int, str]:
        """The name of the node of each worker there ever was, by the worker's number in records."""

    @abstractmethod
    def remote_memory(self) -> Sequence[Footprint]:
        """The memory of the workers on each other host; the trial asks while no epoch is timed."""

    @abstractmethod
    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """What each node's workers used, as the record has it; the trial asks while no epoch is timed."""
