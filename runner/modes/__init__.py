"""The concurrency backends: one file each, all with the same three verbs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from runner.host.memory import Footprint
from runner.host.usage import Usage, largest_resident_bytes, own_usage
from runner.modes.workers.runtime import ThreadLimits, Threads
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class Epoch:
    """One pass over ``items`` items; with ``verify``, each result is hashed instead of timed.

    ``number`` counts passes from 0, warm-up included.
    """

    items: int
    verify: bool = False
    number: int = 0


@dataclass(frozen=True)
class Worker:
    """What a worker process said when it was ready; the workers of a thread mode share one such process.

    Attributes:
        pid: the process.
        threads: TensorFlow's and BLAS's threading, read back from its runtime.
        import_s: how long it took this process to import what the task needs; 0 where it was there already.
        cpus: the CPUs it may use, read back; None where the system does not tell, or where they are another host's.
        elsewhere: whether it is on another host, where its process number means nothing here.
    """

    pid: int
    threads: Threads
    import_s: float
    cpus: tuple[int, ...] | None = None
    elsewhere: bool = False


@dataclass(frozen=True)
class Books:
    """What a worker process says that it has used so far, and the most memory it ever had resident."""

    usage: Usage
    largest_resident_bytes: int | None

    @classmethod
    def own(cls) -> Books:
        """Of this process."""
        return cls(own_usage(), largest_resident_bytes())


@dataclass(frozen=True)
class ModePlan:
    """All that a mode is built from.

    Attributes:
        mode: its option.
        workers: how many.
        limits: of TensorFlow's and BLAS's threads in each.
        pipeline: what they do.
        spool: a file for records that are too many for memory; None keeps them there.
    """

    mode: Any
    workers: int
    limits: ThreadLimits
    pipeline: PipelinePlan
    spool: str | None = None


class Watch(Protocol):
    """What the trial wants to hear of an epoch; it does the timing, the mode does the calling."""

    def released(self) -> None:
        """Every worker stands ready and is released after this call returns."""

    def progress(self, done: int) -> None:
        """So many items are done; called now and then."""

    def finished(self) -> None:
        """The last result is back in the trial."""


# Whose books: a process of this host by its number, one of another host by a word.
Who = int | str


class Mode(Protocol):
    """A concurrency backend.

    One that tells more of itself than the others has ``facts()`` for the record; one whose workers are on several nodes is ``Spread``.

    Attributes:
        forks: whether ``start`` forks this process, which must then have one thread and no TensorFlow runtime.
        imports_here: whether this process needs what the task imports before ``start``.
    """

    forks: bool
    imports_here: bool

    def start(self) -> Sequence[Worker]:
        """Get every worker ready: threads limited, TensorFlow's runtime started, task built.

        Raises:
            TrialError: a worker could not be started.
        """

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        """Take all items through the pipeline; one record for each, and what has been sent to the sink.

        Raises:
            TrialError: a worker died.
        """

    def books(self) -> Mapping[Any, Books]:
        """What each worker process has used, by its ``Who``, asked while no epoch is timed; empty where workers are threads.

        Raises:
            TrialError: a worker died.
        """

    def stop(self) -> None:
        """Return when every worker is gone."""


@runtime_checkable
class Spread(Protocol):
    """What a mode has beside the verbs whose workers are on nodes of a cluster, and may be replaced in the middle.

    The books of its workers stand when they are gone: nobody's that the trial waits for have them.
    """

    def crew(self) -> Sequence[Worker]:
        """The workers as they are now."""

    def node_of(self) -> Mapping[int, str]:
        """The node of each worker that there ever was, by the number that records have for it."""

    def elsewhere(self) -> Sequence[Footprint]:
        """The memory of the workers on each other host, asked while no epoch is timed."""

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """What each node's workers took, as the record has it, asked while no epoch is timed."""
