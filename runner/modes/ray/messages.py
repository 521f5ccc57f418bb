"""What the trial sends its actors, and what they answer, beside ``Location``, ``Worker`` and ``WorkerUsage``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.config.options import Returns
from runner.host.memory import Footprint
from runner.modes.workers.messages import Returned
from runner.modes.workers.runtime import ThreadLimits
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class ActorPlan:
    """What a worker is built from.

    Attributes:
        environment: variables for libraries that are still to be loaded; None is unset.
    """

    limits: ThreadLimits
    pipeline: PipelinePlan
    returns: Returns
    environment: Mapping[str, str | None]


@dataclass(frozen=True)
class RunDone:
    """A run of items is done.

    Attributes:
        records: one for each item.
        results: those that come back, pickled in one piece, or as arrays that Ray lays into shared memory; None where none come back.
        cpu_ns: the CPU time that the process has used since it was born.
    """

    records: Records
    results: bytes | list[Returned] | None
    cpu_ns: int


@dataclass(frozen=True)
class NodeReading:
    """What a node says of the trial's workers on it, and of itself.

    Attributes:
        footprint: the memory of the workers.
        cpus_usable: how many CPUs may be used there.
        gpus: a reading of each device.
        absent: why there are no GPUs.
    """

    footprint: Footprint
    cpus_usable: float
    gpus: Sequence[Mapping[str, Any]]
    absent: str | None
