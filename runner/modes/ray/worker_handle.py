"""A worker as the trial knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner.modes import Worker, WorkerId, WorkerUsage
from runner.modes.ray.location import Location


@dataclass(eq=False)
class WorkerHandle:
    """A worker. One that replaces another has a number of its own.

    Attributes:
        number: as records have it.
        actor: Ray's handle.
        location: None until the worker has reported it.
        report: what the worker reported when it was ready; None before.
        usage: what the worker reported last of what it has used.
        cpu_ns: the CPU time that it reported with its last run of items.
        runs: how many runs of items it has now.
        dead: whether it has ended.
    """

    number: int
    actor: Any
    location: Location | None = None
    report: Worker | None = None
    usage: WorkerUsage | None = None
    cpu_ns: int = 0
    runs: int = 0
    dead: bool = False

    def call(self, name: str, *arguments: Any) -> Any:
        """Have the worker run a method of ``ActorWorker``; ``Calls.result`` gets what comes of it."""
        return self.actor.call.remote(name, *arguments)

    @property
    def known_location(self) -> Location:
        """The location of a worker that has reported it."""
        assert self.location is not None  # noqa: S101  (asked of no other)
        return self.location

    @property
    def remote(self) -> bool:
        """Whether it is on another host."""
        return self.known_location.remote

    @property
    def id(self) -> WorkerId:
        """By which the trial knows what it has used."""
        location = self.known_location
        return f"{location.node}/{self.number}" if location.remote else location.pid
