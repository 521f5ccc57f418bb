"""What is known of the nodes of a cluster: how far their clocks are off, and what the workers on each took."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter_ns
from typing import Any

from runner.host.memory import Footprint
from runner.host.usage import Usage, total, usage_of
from runner.modes import Books, Who
from runner.modes.ray.cluster import Cluster
from runner.modes.ray.crew import Crew, Hand
from runner.modes.ray.worker import Here, Place
from runner.pipeline.stamps import WIDTH, Record, Records

_QUESTIONS = 10

# Which of a record's integers are times.
_TIMES = slice(Record._fields.index("read_start"), Record._fields.index("end") + 1)


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
    memory_method: str | None = None

    def add(self, here: Here) -> None:
        """Once more."""
        self.first = self.first or here
        self.last = here
        memory = here.footprint.memory_bytes
        if memory is not None and memory >= (self.memory_bytes or 0):
            self.memory_bytes, self.memory_method = memory, here.footprint.memory_method


class Accounts:
    """What the workers used, wherever they are; their clocks; and what their nodes say of themselves."""

    def __init__(self, crew: Crew, cluster: Cluster) -> None:
        self._crew, self._cluster = crew, cluster
        self._books: dict[Who, Books] = {}
        self._clocks: dict[str, Clock] = {}
        self._readings: dict[str, Readings] = {}

    def books(self) -> dict[Who, Books]:
        """Of all workers that there ever were, and of what else their cluster runs and nobody waits for."""
        hands = self._crew.hands()
        answers = self._crew.ask_whoever_lives([(hand, hand.call("books")) for hand in hands])
        for hand, books in zip(hands, answers, strict=True):
            if books is not None:
                hand.told = self._books[hand.who] = books
        known = [hand.place.pid for hand in self._crew.all if hand.place is not None]
        for pid in self._cluster.others(known):
            self._books[pid] = Books(usage_of(pid), None)
        return dict(self._books)

    def settle(self, hand: Hand) -> None:
        """What a worker had used that is no more: what it told, and the CPU time that it showed with its last run of items."""
        if hand.worker is None or hand.dead:
            return
        told = hand.told or Books(Usage(), None)
        more_s = max(0.0, hand.cpu_ns * 1e-9 - (told.usage.cpu_s or 0.0))
        usage = replace(told.usage, cpu_user_s=(told.usage.cpu_user_s or 0.0) + more_s)
        hand.told = self._books[hand.who] = replace(told, usage=usage)

    def set_clocks(self) -> None:
        """How far the clocks of other hosts are from this one's."""
        for host, hand in {hand.here.host: hand for hand in self._crew.hands() if hand.elsewhere}.items():

            def shown(hand: Hand = hand) -> int:
                return int(self._crew.got(hand.call("clock"), hand))

            with contextlib.suppress(*self._crew.gone):  # seen when it is given something to do
                self._clocks[host] = Clock.estimated(shown)

    def onto_our_clock(self, records: Records, hand: Hand) -> None:
        """Have the times of a worker's records be of this host's clock."""
        if (clock := self._clocks.get(hand.here.host)) is not None and records.values:
            import numpy as np

            np.frombuffer(records.values, np.int64).reshape(-1, WIDTH)[:, _TIMES] -= clock.offset_ns

    def look(self) -> list[Footprint]:
        """Have each node say something of itself; the memory of the workers on each that is of another host."""
        on_node = self._by_node(self._crew.hands())
        calls = [(hands[0], hands[0].call("here", [hand.here.pid for hand in hands])) for hands in on_node.values()]
        footprints = []
        for (hand, _), here in zip(calls, self._crew.ask_whoever_lives(calls), strict=True):
            if here is not None:
                self._readings.setdefault(hand.here.node, Readings()).add(here)
                if hand.elsewhere:
                    footprints.append(here.footprint)
        return footprints

    def nodes(self) -> list[dict[str, Any]]:
        """Each as the record has it."""
        on_node = self._by_node([hand for hand in self._crew.all if hand.worker is not None])
        records = [
            record_of(
                self._crew.node(hands[0]),
                hands[0].here,
                self._readings.get(node, Readings()),
                self._clocks.get(hands[0].here.host),
                elsewhere=hands[0].elsewhere,
                workers=[hand.number for hand in hands],
                died=[hand.number for hand in hands if hand.dead],
                books=[hand.told for hand in hands if hand.told is not None],
            )
            for node, hands in on_node.items()
        ]
        return sorted(records, key=lambda record: str(record["node"]))

    @staticmethod
    def _by_node(hands: Sequence[Hand]) -> dict[str, list[Hand]]:
        found: dict[str, list[Hand]] = {}
        for hand in hands:
            found.setdefault(hand.here.node, []).append(hand)
        return found


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
