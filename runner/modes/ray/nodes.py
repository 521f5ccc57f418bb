"""What the nodes of a cluster say of themselves, and what the record says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.host.memory import Footprint
from runner.host.usage import total
from runner.modes.ray.calls import Calls
from runner.modes.ray.clocks import Clock, HostClocks
from runner.modes.ray.messages import NodeReading
from runner.modes.ray.worker_handle import WorkerHandle
from runner.modes.ray.workers import Workers


@dataclass
class NodeReadings:
    """What a node said of itself the first time and the last, and the most memory its workers had at any reading."""

    first: NodeReading | None = None
    last: NodeReading | None = None
    memory_bytes: int | None = None
    memory_method: str | None = None

    def add(self, reading: NodeReading) -> None:
        """Take one more."""
        self.first = self.first or reading
        self.last = reading
        memory = reading.footprint.memory_bytes
        if memory is not None and memory >= (self.memory_bytes or 0):
            self.memory_bytes, self.memory_method = memory, reading.footprint.memory_method

    def gpus(self) -> dict[str, Any]:
        """Each device at the last reading, with the energy since the first."""
        if self.first is None or self.last is None:
            return {"absent": "the node was not asked", "devices": []}
        if not self.last.gpus:
            return {"absent": self.last.absent, "devices": []}
        devices = []
        for before, now in zip(self.first.gpus, self.last.gpus, strict=False):
            device = {
                key: value for key, value in now.items() if key not in {"energy_j", "utilization_pct", "own_utilization_pct"}
            }
            devices.append(device | {"energy_j": _difference(before["energy_j"], now["energy_j"])})
        return {"absent": None, "devices": devices}


@dataclass(frozen=True)
class Node:
    """A node that has or had workers.

    Attributes:
        name: of the node.
        workers: all that there ever were on it, at least one.
        clock: None if it is this host's.
    """

    name: str
    workers: Sequence[WorkerHandle]
    readings: NodeReadings = field(default_factory=NodeReadings)
    clock: Clock | None = None

    def record(self) -> dict[str, Any]:
        """As the record has it: CPU seconds of its workers since they were born, their memory, the GPUs of the node.

        ``clock_offset_s`` is what was taken off the times of its workers, ``clock_error_s`` by how much that may be wrong.
        """
        location, readings, clock = self.workers[0].known_location, self.readings, self.clock
        used = total([worker.usage.usage for worker in self.workers if worker.usage is not None])
        return {
            "node": self.name,
            "id": location.node,
            "host": location.hostname,
            "elsewhere": location.remote,
            "workers": [worker.number for worker in self.workers],
            "died": [worker.number for worker in self.workers if worker.dead],
            "cpu_s": used.cpu_s,
            "cpu_user_s": used.cpu_user_s,
            "cpu_system_s": used.cpu_system_s,
            "cpus_usable": readings.last and readings.last.cpus_usable,
            "memory_bytes": readings.memory_bytes,
            "memory_method": readings.memory_method,
            "clock_offset_s": clock.offset_ns * 1e-9 if clock is not None else 0.0,
            "clock_error_s": clock.error_ns * 1e-9 if clock is not None else 0.0,
            "gpu": readings.gpus(),
        }


class Nodes:
    """The nodes of all workers there ever were."""

    def __init__(self, workers: Workers, clocks: HostClocks, calls: Calls) -> None:
        self._workers, self._clocks, self._calls = workers, clocks, calls
        self._readings: dict[str, NodeReadings] = {}

    def read(self) -> list[Footprint]:
        """Take a reading of each node that has workers. Returns the memory of the workers on each other host."""
        calls = [
            (workers[0], workers[0].call("node_reading", [worker.known_location.pid for worker in workers]))
            for workers in _by_node(self._workers.alive()).values()
        ]
        footprints = []
        for (worker, _), reading in zip(calls, self._calls.answers_of_living(calls), strict=True):
            if reading is not None:
                self._readings.setdefault(worker.known_location.node, NodeReadings()).add(reading)
                if worker.remote:
                    footprints.append(reading.footprint)
        return footprints

    def records(self) -> list[dict[str, Any]]:
        """Each node as the record has it, by name."""
        on_node = _by_node([worker for worker in self._workers.all if worker.report is not None])
        nodes = [
            Node(
                self._workers.node_name(workers[0]),
                workers,
                self._readings.get(node, NodeReadings()),
                self._clocks.of(workers[0]),
            )
            for node, workers in on_node.items()
        ]
        return [node.record() for node in sorted(nodes, key=lambda node: node.name)]


def _by_node(workers: Sequence[WorkerHandle]) -> Mapping[str, list[WorkerHandle]]:
    on_node: dict[str, list[WorkerHandle]] = {}
    for worker in workers:
        on_node.setdefault(worker.known_location.node, []).append(worker)
    return on_node


def _difference(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else float(now - before)
