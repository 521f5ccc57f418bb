"""What is known of the nodes of a cluster: how far their clocks are off, and what the workers on each took."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any

from runner.accounting.usage import total
from runner.modes import Books
from runner.modes.ray_worker import Here, Place

_QUESTIONS = 10


@dataclass(frozen=True)
class Clock:
    """A host's clock minus this one's, and how much that may be wrong, in nanoseconds."""

    offset_ns: int
    error_ns: int

    @classmethod
    def estimated(cls, ask: Callable[[], int]) -> Clock:
        """By the quickest of some questions: what it showed, it showed between the question and the answer (Cristian, 1989)."""
        best: Clock | None = None
        for _ in range(_QUESTIONS):
            asked = perf_counter_ns()
            shown = ask()
            answered = perf_counter_ns()
            error = (answered - asked) // 2
            if best is None or error < best.error_ns:
                best = cls(shown - (asked + answered) // 2, error)
        assert best is not None  # noqa: S101  (there is more than one question)
        return best


@dataclass
class Readings:
    """What a node said of itself, the first time and the last, and the most memory that it told of."""

    first: Here | None = None
    last: Here | None = None
    memory_bytes: int | None = None
    memory_method: str | None = field(default=None)

    def add(self, here: Here) -> None:
        """Once more."""
        self.first = self.first or here
        self.last = here
        memory = here.footprint.memory_bytes
        if memory is not None and memory >= (self.memory_bytes or 0):
            self.memory_bytes, self.memory_method = memory, here.footprint.memory_method


def record_of(
    name: str,
    place: Place,
    readings: Readings,
    clock: Clock | None,
    *,
    elsewhere: bool,
    workers: Sequence[int],
    died: Sequence[int],
    books: Sequence[Books],
) -> dict[str, Any]:
    """A node as the record has it: CPU seconds of its workers since they were born, their memory, the GPUs of the node.

    ``clock_offset_s`` is what was taken off the times of its workers, ``clock_error_s`` what that may be wrong by.
    """
    used = total([told.usage for told in books])
    return {
        "node": name,
        "id": place.node,
        "host": place.hostname,
        "elsewhere": elsewhere,
        "workers": list(workers),
        "died": list(died),
        "cpu_s": used.cpu_s,
        "cpu_user_s": used.cpu_user_s,
        "cpu_system_s": used.cpu_system_s,
        "cpus_usable": readings.last and readings.last.cpus_usable,
        "memory_bytes": readings.memory_bytes,
        "memory_method": readings.memory_method,
        "clock_offset_s": clock.offset_ns * 1e-9 if clock is not None else 0.0,
        "clock_error_s": clock.error_ns * 1e-9 if clock is not None else 0.0,
        "gpu": _gpus(readings),
    }


def _gpus(readings: Readings) -> dict[str, Any]:
    """Each device at the last reading, and the energy from the first to it."""
    first, last = readings.first, readings.last
    if first is None or last is None:
        return {"absent": "the node was not asked", "devices": []}
    if not last.gpus:
        return {"absent": last.absent, "devices": []}
    devices = []
    for before, now in zip(first.gpus, last.gpus, strict=False):
        device = {key: value for key, value in now.items() if key not in {"energy_j", "utilization_pct", "own_utilization_pct"}}
        devices.append(device | {"energy_j": _difference(before, now)})
    return {"absent": None, "devices": devices}


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> float | None:
    known = before["energy_j"] is not None and now["energy_j"] is not None
    return float(now["energy_j"] - before["energy_j"]) if known else None
