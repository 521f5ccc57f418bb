"""What the trial and a worker process send each other, beside ``Epoch``, ``Worker`` and ``WorkerUsage``."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any

from runner.errors import TrialFailed
from runner.modes.workers.distribution import Distribution
from runner.modes.workers.runtime import ThreadLimits
from runner.modes.workers.shared_memory import Slots
from runner.modes.workers.turn import Turns
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class WorkerPlan:
    """What a worker process is built from."""

    index: int
    threads: int
    limits: ThreadLimits
    pipeline: PipelinePlan
    distribution: Distribution
    returns: bool = False
    slots: Slots | None = None
    turns: Turns | None = None


@dataclass(frozen=True)
class Ready:
    """The worker is ready for the epoch that it was sent, and waits to be released."""


@dataclass(frozen=True)
class UsageRequest:
    """The trial asks a waiting worker what it has used."""


@dataclass(frozen=True)
class RecordsPart:
    """Some records of the epoch; ``last`` if this worker sends no more of them."""

    records: Records
    last: bool


@dataclass(frozen=True)
class Returned:
    """The result of an item, pickled."""

    item: int
    array: Any


@dataclass(frozen=True)
class InSlot:
    """The result of an item, in a slot."""

    item: int
    slot: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Missed:
    """An item has failed and has no result; sent where results come back."""

    item: int


@dataclass(frozen=True)
class WorkerFailure:
    """An exception in a worker process; its traceback as text, which can cross any border."""

    kind: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> WorkerFailure:
        """The exception that is being handled."""
        return cls(type(error).__name__, str(error), traceback.format_exc())

    def as_error(self, worker: int | None = None) -> TrialFailed:
        """What the trial fails with; a ``worker`` without a number is one of several."""
        which = "a worker" if worker is None else f"worker {worker}"
        return TrialFailed(f"{which}: {self.message}", kind=self.kind, remote_traceback=self.traceback)
