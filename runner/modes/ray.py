"""``mode=ray``: actors on a cluster, one that is started here or one of somebody else's; this process hands them runs of items."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from runner.accounting.footprint import Footprint
from runner.accounting.usage import Usage, usage_of
from runner.config.options import Ray, Returns
from runner.errors import TrialError, TrialFailed, TrialKilled
from runner.modes import Books, Epoch, ModePlan, Watch, Who, Worker
from runner.modes.processes import Failure
from runner.modes.ray_cluster import Cluster, imported, remove_abandoned
from runner.modes.ray_nodes import Clock, Readings, record_of
from runner.modes.ray_reach import check_sink, check_source
from runner.modes.ray_worker import Order, Part, Place, actor_class, answered, this_host
from runner.modes.returning import Returned, hash_of, slot_bytes
from runner.modes.sharing import run_length
from runner.modes.threads import PROGRESS_INTERVAL_S
from runner.records import WIDTH, Record, Records
from runner.sources.shipped import Shipment
from runner.spool import Collector
from runner.tensorflow_threads import VARIABLES

# So many runs of items are on their way to each worker: one that it works on, one that waits for it.
_AHEAD = 2

# The results of a run of items come back together; no more bytes than these, so that few are in shared memory at any time.
_RUN_BYTES = 8_000_000

# Where every worker is gone, how long the cluster gets to find room for another one; how long workers get to leave. Seconds.
_NOBODY_S = 30.0
_LEAVE_S = 10.0

# Which of a record's integers are times.
_TIMES = slice(Record._fields.index("read_start"), Record._fields.index("end") + 1)


@dataclass(eq=False)
class _Hand:
    """A worker. A new one that stands in for one that has died has a number of its own.

    ``told`` is what it has said that it had used, ``cpu_ns`` what it said with the last run of items; ``busy`` is how many it has.
    """

    number: int
    actor: Any
    place: Place | None = None
    worker: Worker | None = None
    told: Books | None = None
    cpu_ns: int = 0
    busy: int = 0
    dead: bool = False

    @property
    def who(self) -> Who:
        assert self.place is not None  # noqa: S101  (asked of those that are ready)
        assert self.worker is not None  # noqa: S101
        return f"{self.place.node}/{self.number}" if self.worker.elsewhere else self.place.pid


@dataclass(frozen=True)
class _Run:
    """Some items, and how often they have been tried before."""

    items: range
    tries: int = 0


@dataclass(frozen=True)
class _Arrival:
    """A worker that is to stand in for another and is not ready yet."""

    hand: _Hand
    since: float
    place: Any


class RayMode:
    """``workers`` actors; ``_hands`` are those that live, ``_all`` those that ever did."""

    forks = False
    imports_here = False

    def __init__(self, plan: ModePlan) -> None:
        self._option: Ray = plan.mode
        self._ray = imported(self._option)
        self._plan = plan
        self._cluster: Cluster
        self._order: Any = None
        self._shipment: Any = None
        self._all: list[_Hand] = []
        self._ended: dict[Who, Books] = {}
        self._clocks: dict[str, Clock] = {}
        self._readings: dict[str, Readings] = {}
        self._names: dict[str, str] = {}
        self._arriving: dict[Any, _Arrival] = {}
        self._facts: dict[str, Any] = {}
        self._retried = 0
        exceptions = self._ray.exceptions
        self._gone = (
            exceptions.RayActorError, exceptions.ObjectLostError, exceptions.NodeDiedError, exceptions.WorkerCrashedError,
        )  # fmt: skip
        self._full = (exceptions.ObjectStoreFullError, exceptions.OutOfDiskError)

    # ------------------------------------------------------------------------------------------------------ start

    def start(self) -> list[Worker]:
        option, plan, began = self._option, self._plan, perf_counter()
        if option.address is None:
            self._cluster = Cluster.started(self._ray, option, plan.workers)
        else:
            self._cluster = Cluster.joined(self._ray, option.address)
        cluster_s, began = perf_counter() - began, perf_counter()
        with self._ending_with_a_failure():
            self._cluster.place(option, plan.workers)
            variables = {name: os.environ.get(name) for name in VARIABLES}
            order = Order(plan.limits, plan.pipeline, option.returns, variables)
            self._order = self._ray.put(pickle.dumps(order))
            if option.ship_source:
                self._ship()
            hands = [self._hire() for _ in range(plan.workers)]
            for hand, place in zip(hands, self._ask(hands, "place"), strict=True):
                hand.place = place
            self._check_reach(hands)
            for hand, worker in zip(hands, self._ask(hands, "start", self._shipment), strict=True):
                self._welcome(hand, worker)
        self._facts |= {"cluster_s": cluster_s, "actors_s": perf_counter() - began}
        return self.crew()

    def _ship(self) -> None:
        from runner.registry import load

        reader = load("source", self._plan.pipeline.source.name)(self._plan.pipeline.source).reader()
        try:
            shipment = Shipment.of(self._plan.pipeline.images, reader)
        except OSError as error:
            raise TrialFailed(f"mode.ship_source: an image cannot be read: {error}", kind=type(error).__name__) from error
        finally:
            reader.close()
        with self._in_words():
            self._shipment = self._ray.put(shipment)
        self._facts["shipped_bytes"] = shipment.content.nbytes

    def _hire(self) -> _Hand:
        option = self._option
        actors = actor_class(self._ray).options(
            num_cpus=option.cpus_per_worker,
            num_gpus=option.gpus_per_worker or None,
            max_restarts=0,
            max_task_retries=0,
            **self._cluster.where(),
        )
        hand = _Hand(len(self._all), actors.remote(sys.path, self._order))
        self._all.append(hand)
        return hand

    def _check_reach(self, hands: Sequence[_Hand]) -> None:
        """Ask one worker of each node on another host."""
        of_node = {hand.place.node: hand for hand in hands if hand.place is not None and hand.place.host != this_host()}
        for node, hand in of_node.items():
            name = self._named(node)
            if self._shipment is None:
                check_source(self._plan.pipeline, name, lambda hand=hand: self._ask([hand], "unlike")[0])
            check_sink(self._plan.pipeline, name, lambda path, hand=hand: self._ask([hand], "sees", path)[0])

    def _welcome(self, hand: _Hand, worker: Worker) -> None:
        """A worker is ready."""
        assert hand.place is not None  # noqa: S101
        elsewhere = hand.place.host != this_host()
        hand.worker = replace(worker, elsewhere=elsewhere, cpus=None if elsewhere else worker.cpus)

    def _named(self, node: str) -> str:
        if node not in self._names:
            self._names |= self._cluster.names()
        return self._names.get(node, node)

    # -------------------------------------------------------------------------------------------------------- run

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        with self._ending_with_a_failure():
            return self._run(epoch, watch)

    def _run(self, epoch: Epoch, watch: Watch) -> Records:
        self._look_who_has_arrived(0.0)
        self._set_clocks()
        fresh, again = self._runs(epoch.items), deque[_Run]()
        flight: dict[Any, tuple[_Hand, _Run]] = {}

        def give(hand: _Hand) -> None:
            run = again.popleft() if again else next(fresh, None)
            if run is not None:
                ref = hand.actor.call.remote("handle", run.items, hand.number, epoch.number, epoch.verify)
                flight[ref] = hand, run
                hand.busy += 1

        collector = Collector(self._plan.spool)
        returned_bytes, received = 0, dict[int, bytes]()
        watch.released()
        for _ in range(_AHEAD):
            for hand in self._hands():
                give(hand)
        told = perf_counter()
        while flight or again:
            for ref in self._done(flight):
                hand, run = flight.pop(ref)
                hand.busy -= 1
                part = self._part(ref, hand)
                if part is None:
                    again.append(self._once_more(run, hand))
                    continue
                self._onto_our_clock(part.records, hand)
                collector.add(part.records)
                for result in _results(part):  # what a consumer would see
                    returned_bytes += result.array.nbytes
                    if epoch.verify:
                        received[result.item] = hash_of(result.array)
                del part  # and with it the memory that its results are in
                give(hand)
            for hand in self._look_who_has_arrived(0.0):
                give(hand)
            for hand in self._hands() if again else ():
                while again and hand.busy < _AHEAD:
                    give(hand)
            if perf_counter() - told > PROGRESS_INTERVAL_S:
                watch.progress(len(collector))
                told = perf_counter()
        watch.finished()
        records = collector.done()
        records.returned_bytes = returned_bytes
        if received != records.handed_over:
            raise TrialFailed("results came back from the workers other than they were sent", kind="ReturnPath")
        return records

    def _runs(self, items: int) -> Iterator[_Run]:
        option, start = self._option, 0
        most = items
        if option.returns is not Returns.digest:
            most = max(1, _RUN_BYTES // slot_bytes(self._plan.pipeline.task))
        while start < items:
            length = run_length(items - start, self._plan.workers, option.chunksize)
            stop = min(items, start + min(length, most))
            yield _Run(range(start, stop))
            start = stop

    def _done(self, flight: Mapping[Any, Any]) -> Sequence[Any]:
        """The runs of items that are done, after a while at the latest; all their results are here."""
        if not flight:
            self._look_who_has_arrived(PROGRESS_INTERVAL_S)
            return ()
        done: Sequence[Any]
        done, _ = self._ray.wait(list(flight), num_returns=1, timeout=PROGRESS_INTERVAL_S)
        return done

    def _part(self, ref: Any, hand: _Hand) -> Part | None:
        """What came of a run of items; None where its worker is no more, or what it sent is lost."""
        try:
            with self._in_words():
                part: Part = self._or_failed(answered(self._ray.get(ref)), hand)
        except self._gone as error:
            self._lose(hand, error)
            return None
        hand.cpu_ns = part.cpu_ns
        return part

    def _once_more(self, run: _Run, hand: _Hand) -> _Run:
        if run.tries >= self._option.max_retries:
            allowed = f"mode.max_retries={self._option.max_retries}"
            raise TrialKilled(
                f"worker {hand.number} on node {self._node(hand)} is no more, with images in its hands ({allowed})"
            )
        self._retried += len(run.items)
        return _Run(run.items, run.tries + 1)

    def _lose(self, hand: _Hand, error: Exception) -> None:
        """A worker is no more; another is asked for where images may be tried again."""
        if hand.dead:
            return
        hand.dead = True
        with contextlib.suppress(Exception):
            self._ray.kill(hand.actor, no_restart=True)  # one that only cannot be reached is not to come back
        self._settle(hand)
        if self._option.max_retries == 0:
            raise TrialKilled(f"worker {hand.number} on node {self._node(hand)} was killed: {_first_line(error)}") from error
        new = self._hire()
        place = new.actor.call.remote("place")
        self._arriving[new.actor.call.remote("start", self._shipment)] = _Arrival(new, time.monotonic(), place)

    def _look_who_has_arrived(self, wait_s: float) -> list[_Hand]:
        """Workers that stand in for others and are ready by now."""
        if not self._arriving:
            return []
        done, _ = self._ray.wait(list(self._arriving), num_returns=len(self._arriving), timeout=wait_s)
        arrived = []
        for ref in done:
            arrival = self._arriving.pop(ref)
            hand = arrival.hand
            try:
                hand.place = self._or_failed(answered(self._ray.get(arrival.place)), hand)
                worker = self._or_failed(answered(self._ray.get(ref)), hand)
            except self._gone as error:
                raise TrialKilled(f"worker {hand.number} died while it was started: {_first_line(error)}") from error
            self._check_reach([hand])
            self._welcome(hand, worker)
            self._set_clocks()
            arrived.append(hand)
        if not self._hands():
            for arrival in self._arriving.values():
                placed, _ = self._ray.wait([arrival.place], timeout=0)
                if not placed and time.monotonic() - arrival.since > _NOBODY_S:
                    raise TrialKilled(f"no worker is left, and in {_NOBODY_S:g} s the cluster had no room for another")
        return arrived

    def _onto_our_clock(self, records: Records, hand: _Hand) -> None:
        clock = self._clocks.get(hand.place.host if hand.place else "")
        if clock is not None and records.values:
            import numpy as np

            table = np.frombuffer(records.values, np.int64).reshape(-1, WIDTH)
            table[:, _TIMES] -= clock.offset_ns

    def _set_clocks(self) -> None:
        """How far the clocks of other hosts are from this one's, by the quickest of some questions to each."""
        hosts = {hand.place.host: hand for hand in self._hands() if hand.place and hand.place.host != this_host()}
        for host, hand in hosts.items():
            with contextlib.suppress(*self._gone):  # seen when it is given something to do
                self._clocks[host] = Clock.estimated(lambda hand=hand: self._ray.get(hand.actor.call.remote("clock")))

    # ------------------------------------------------------------------------------------------- what is told of it

    def crew(self) -> list[Worker]:
        return [hand.worker for hand in self._hands() if hand.worker is not None]

    def node_of(self) -> dict[int, str]:
        return {hand.number: self._node(hand) for hand in self._all if hand.worker is not None}

    def books(self) -> dict[Who, Books]:
        hands = self._hands()
        for hand, books in zip(hands, self._those_who_answer(hands, "books"), strict=True):
            if books is not None:
                hand.told = books
                self._ended[hand.who] = books
        known = [hand.place.pid for hand in self._all if hand.place is not None]
        for pid in self._cluster.others(known):
            self._ended[pid] = Books(usage_of(pid), None)
        return dict(self._ended)

    def _settle(self, hand: _Hand) -> None:
        """What a worker had used that is no more: what it told, and the CPU time that it showed with its last run of items."""
        if hand.place is None or hand.worker is None:
            return
        told = hand.told or Books(Usage(), None)
        more_s = max(0.0, hand.cpu_ns * 1e-9 - (told.usage.cpu_s or 0.0))
        usage = replace(told.usage, cpu_user_s=(told.usage.cpu_user_s or 0.0) + more_s)
        hand.told = self._ended[hand.who] = replace(told, usage=usage)

    def elsewhere(self) -> list[Footprint]:
        on_node: dict[str, list[_Hand]] = {}
        for hand in self._hands():
            if hand.place is not None:
                on_node.setdefault(hand.place.node, []).append(hand)
        asked = [
            (node, hands, hands[0].actor.call.remote("here", [_pid(hand) for hand in hands])) for node, hands in on_node.items()
        ]
        footprints = []
        for node, hands, ref in asked:
            try:
                here = self._or_failed(answered(self._ray.get(ref)), hands[0])
            except self._gone:
                continue
            self._readings.setdefault(node, Readings()).add(here)
            if hands[0].worker is not None and hands[0].worker.elsewhere:
                footprints.append(here.footprint)
        return footprints

    def nodes(self) -> list[dict[str, Any]]:
        on_node: dict[str, list[_Hand]] = {}
        for hand in self._all:
            if hand.place is not None and hand.worker is not None:
                on_node.setdefault(hand.place.node, []).append(hand)
        records = []
        for node, hands in on_node.items():
            place, worker = hands[0].place, hands[0].worker
            assert place is not None  # noqa: S101
            assert worker is not None  # noqa: S101
            records.append(
                record_of(
                    self._named(node),
                    place,
                    self._readings.get(node, Readings()),
                    self._clocks.get(place.host),
                    elsewhere=worker.elsewhere,
                    workers=[hand.number for hand in hands],
                    died=[hand.number for hand in hands if hand.dead],
                    books=[hand.told for hand in hands if hand.told is not None],
                )
            )
        return sorted(records, key=lambda record: str(record["node"]))

    def facts(self) -> dict[str, Any]:
        """What the record is to say of this backend."""
        return {
            "ray": self._ray.__version__,
            "cluster": "started here" if self._cluster.embedded else self._option.address,
            "placement": self._option.placement.value,
            **self._facts,
            "retried_images": self._retried,
            "workers_replaced": sum(1 for hand in self._all if hand.dead),
            "workers_at_end": len(self._hands()),
        }

    def _hands(self) -> list[_Hand]:
        """The workers that live and are ready."""
        return [hand for hand in self._all if hand.worker is not None and not hand.dead]

    def _node(self, hand: _Hand) -> str:
        return "?" if hand.place is None else self._named(hand.place.node)

    # ------------------------------------------------------------------------------------------------ ask, and stop

    def _ask(self, hands: Sequence[_Hand], name: str, *arguments: Any) -> list[Any]:
        """The same of every one of them.

        Raises:
            TrialError: one of them could not do it, or is no more.
        """
        refs = [hand.actor.call.remote(name, *arguments) for hand in hands]
        answers = []
        for hand, ref in zip(hands, refs, strict=True):
            try:
                with self._in_words():
                    answers.append(self._or_failed(answered(self._ray.get(ref)), hand))
            except self._gone as error:
                raise TrialKilled(f"worker {hand.number} was killed: {_first_line(error)}") from error
        return answers

    def _those_who_answer(self, hands: Sequence[_Hand], name: str) -> list[Any]:
        """As ``_ask``, with None for those that are no more; that is seen when they are given something to do."""
        refs = [hand.actor.call.remote(name) for hand in hands]
        answers = []
        for hand, ref in zip(hands, refs, strict=True):
            try:
                answers.append(self._or_failed(answered(self._ray.get(ref)), hand))
            except self._gone:
                answers.append(None)
        return answers

    def _or_failed(self, answer: Any, hand: _Hand) -> Any:
        if isinstance(answer, Failure):
            who = f"worker {hand.number}"
            raise TrialFailed(f"{who}: {answer.message}", kind=answer.kind, remote_traceback=answer.traceback)
        return answer

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Say it in a word where Ray's memory for objects is full."""
        try:
            yield
        except self._gone:
            raise
        except self._full as error:
            raise _store_is_full(error) from error
        except self._ray.exceptions.RayError as error:
            if any(kind.__name__ in str(error) for kind in self._full):
                raise _store_is_full(error) from error
            raise TrialFailed(f"Ray: {_first_line(error)}", kind=type(error).__name__) from error

    @contextlib.contextmanager
    def _ending_with_a_failure(self) -> Iterator[None]:
        try:
            yield
        except TrialError:
            self._cluster.end()
            raise

    def stop(self) -> None:
        hands = self._hands()
        if hands:
            self._ray.wait([hand.actor.call.remote("close") for hand in hands], num_returns=len(hands), timeout=_LEAVE_S)
        for hand in self._all:
            self._ray.kill(hand.actor, no_restart=True)
        if hands:  # whoever is gone answers by an error
            self._ray.wait([hand.actor.call.remote("place") for hand in hands], num_returns=len(hands), timeout=_LEAVE_S)
        self._cluster.end()

    @staticmethod
    def after_trial() -> None:
        """In the conductor: remove what a trial that was killed could not."""
        remove_abandoned()


def _results(part: Part) -> Sequence[Returned]:
    if isinstance(part.results, bytes):
        results: Sequence[Returned] = pickle.loads(part.results)  # noqa: S301  (from a worker of this trial)
        return results
    return part.results or ()


def _pid(hand: _Hand) -> int:
    return hand.place.pid if hand.place is not None else 0


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _store_is_full(error: Exception) -> TrialFailed:
    advice = "fewer workers, smaller results, mode.returns=digest, or a larger mode.object_store_mb"
    message = f"Ray's memory for objects is full, and what does not fit into it cannot be written to disk: {advice}"
    return TrialFailed(message, kind="ObjectStoreFull", remote_traceback=str(error))


PROVIDES = RayMode
