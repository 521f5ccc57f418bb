"""The workers of ``mode=ray``: hired, asked, lost, replaced, let go."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from runner.config.options import Ray
from runner.config.registry import load
from runner.errors import TrialFailed, TrialKilled
from runner.modes import Books, ModePlan, Who, Worker
from runner.modes.ray.cluster import Cluster
from runner.modes.ray.reach import check_sink, check_source
from runner.modes.ray.shipment import Shipment
from runner.modes.ray.worker import Order, Place, actor_class, answered, this_host
from runner.modes.workers.processes import Failure
from runner.modes.workers.runtime import VARIABLES

# Where every worker is gone, how long the cluster gets to find room for another one; how long workers get to leave. Seconds.
_NOBODY_S = 30.0
_LEAVE_S = 10.0


@dataclass(eq=False)
class Hand:
    """A worker. A new one that stands in for one that has died has a number of its own.

    Attributes:
        place, worker: what it has said; None before that.
        told: what it has said that it had used.
        cpu_ns: the CPU time that it showed with the last run of items.
        busy: how many runs of items it has.
    """

    number: int
    actor: Any
    place: Place | None = None
    worker: Worker | None = None
    told: Books | None = None
    cpu_ns: int = 0
    busy: int = 0
    dead: bool = False

    def call(self, name: str, *arguments: Any) -> Any:
        """Have it do something; what comes of it is to be got from Ray, then read by ``Crew.got``."""
        return self.actor.call.remote(name, *arguments)

    @property
    def here(self) -> Place:
        """The place of one that has said it."""
        assert self.place is not None  # noqa: S101  (asked of no other)
        return self.place

    @property
    def elsewhere(self) -> bool:
        """Whether it is on another host."""
        return self.here.host != this_host()

    @property
    def who(self) -> Who:
        """Whose books its are."""
        return f"{self.here.node}/{self.number}" if self.elsewhere else self.here.pid


@dataclass(frozen=True)
class _Arrival:
    """A worker that is to stand in for another and is not ready yet; ``place`` is known when there was room for it."""

    hand: Hand
    since: float
    place: Any


class Crew:
    """All workers that there ever were, in ``all``.

    Attributes:
        shipped_bytes: of the source, where it was sent to the nodes.
        gone, full: Ray's errors that mean that a worker is no more, and that there is no memory for objects.
    """

    def __init__(self, ray: Any, plan: ModePlan, cluster: Cluster) -> None:
        self.all: list[Hand] = []
        self.shipped_bytes: int | None = None
        self._ray, self._plan, self._cluster = ray, plan, cluster
        self._option: Ray = plan.mode
        self._order: Any = None
        self._shipment: Any = None
        self._names: dict[str, str] = {}
        self._arriving: dict[Any, _Arrival] = {}
        errors = ray.exceptions
        self.gone = errors.RayActorError, errors.ObjectLostError, errors.NodeDiedError, errors.WorkerCrashedError
        self.full = errors.ObjectStoreFullError, errors.OutOfDiskError

    def start(self) -> None:
        """Get every worker ready.

        Raises:
            TrialError: one of them could not be started, or cannot reach what it is to read or write.
        """
        plan, option = self._plan, self._option
        self._cluster.place(option, plan.workers)
        variables = {name: os.environ.get(name) for name in VARIABLES}
        self._order = self._ray.put(pickle.dumps(Order(plan.limits, plan.pipeline, option.returns, variables)))
        if option.ship_source:
            self._ship()
        hands = [self._hire() for _ in range(plan.workers)]
        for hand, place in zip(hands, self.ask(hands, "place"), strict=True):
            hand.place = place
        self._check_reach({hand.here.node: hand for hand in hands if hand.elsewhere})
        for hand, worker in zip(hands, self.ask(hands, "start", self._shipment), strict=True):
            self._welcome(hand, worker)

    def hands(self) -> list[Hand]:
        """The workers that live and are ready."""
        return [hand for hand in self.all if hand.worker is not None and not hand.dead]

    def workers(self) -> list[Worker]:
        """What they said when they were ready."""
        return [hand.worker for hand in self.hands() if hand.worker is not None]

    def node(self, hand: Hand) -> str:
        """The name of the node that a worker is on."""
        if hand.place is None:
            return "unknown"
        if hand.place.node not in self._names:
            self._names |= self._cluster.names()
        return self._names.get(hand.place.node, hand.place.node)

    def ask(self, hands: Sequence[Hand], name: str, *arguments: Any) -> list[Any]:
        """The same of every one of them.

        Raises:
            TrialError: one of them could not do it, or is no more.
        """
        refs = [hand.call(name, *arguments) for hand in hands]
        answers = []
        for hand, ref in zip(hands, refs, strict=True):
            try:
                answers.append(self.got(ref, hand))
            except self.gone as error:
                raise TrialKilled(f"worker {hand.number} was killed: {first_line(error)}") from error
        return answers

    def ask_whoever_lives(self, calls: Sequence[tuple[Hand, Any]]) -> list[Any]:
        """What came of these calls, None from those that are no more; that is seen when they are given something to do."""
        answers = []
        for hand, ref in calls:
            try:
                answers.append(self.got(ref, hand))
            except self.gone:
                answers.append(None)
        return answers

    def got(self, ref: Any, hand: Hand) -> Any:
        """What came of a call.

        Raises:
            TrialFailed: the worker failed, or Ray did.
            RayError: one of ``gone``.
        """
        with self._in_words():
            answer = answered(self._ray.get(ref))
        if isinstance(answer, Failure):
            who = f"worker {hand.number}"
            raise TrialFailed(f"{who}: {answer.message}", kind=answer.kind, remote_traceback=answer.traceback)
        return answer

    def first_done(self, refs: list[Any], wait_s: float) -> list[Any]:
        """The first of these calls to be done, with what came of it here; none after so many seconds."""
        done: list[Any]
        done, _ = self._ray.wait(refs, num_returns=1, timeout=wait_s)
        return done

    def lose(self, hand: Hand, error: Exception) -> None:
        """A worker is no more; another is asked for where images may be tried again.

        Raises:
            TrialKilled: they may not.
        """
        if hand.dead:
            return
        hand.dead = True
        with contextlib.suppress(Exception):
            self._ray.kill(hand.actor, no_restart=True)  # one that only cannot be reached is not to come back
        if self._option.max_retries == 0:
            raise TrialKilled(f"worker {hand.number} on node {self.node(hand)} was killed: {first_line(error)}") from error
        new = self._hire()
        place = new.call("place")
        self._arriving[new.call("start", self._shipment)] = _Arrival(new, time.monotonic(), place)

    def arrived(self, wait_s: float = 0.0) -> list[Hand]:
        """Workers that stand in for others and are ready by now, after so many seconds at the latest.

        Raises:
            TrialError: one of them could not be started, or there is no worker left and no room for one.
        """
        if not self._arriving:
            return []
        hands = []
        for ref in self.first_done(list(self._arriving), wait_s):
            arrival = self._arriving.pop(ref)
            hand = arrival.hand
            try:
                hand.place = self.got(arrival.place, hand)
                worker = self.got(ref, hand)
            except self.gone as error:
                raise TrialKilled(f"worker {hand.number} died while it was started: {first_line(error)}") from error
            self._check_reach({hand.here.node: hand} if hand.elsewhere else {})
            self._welcome(hand, worker)
            hands.append(hand)
        if not self.hands():
            self._give_up_where_there_is_no_room()
        return hands

    def let_go(self) -> None:
        """Return when every worker is gone, or has been told often enough."""
        hands = self.hands()
        if hands:
            self._ray.wait([hand.call("close") for hand in hands], num_returns=len(hands), timeout=_LEAVE_S)
        for hand in self.all:
            self._ray.kill(hand.actor, no_restart=True)
        if hands:  # whoever is gone answers by an error
            self._ray.wait([hand.call("place") for hand in hands], num_returns=len(hands), timeout=_LEAVE_S)

    def _hire(self) -> Hand:
        option = self._option
        actors = actor_class(self._ray).options(
            num_cpus=option.cpus_per_worker,
            num_gpus=option.gpus_per_worker or None,
            max_restarts=0,
            max_task_retries=0,
            **self._cluster.where(),
        )
        hand = Hand(len(self.all), actors.remote(sys.path, self._order))
        self.all.append(hand)
        return hand

    def _welcome(self, hand: Hand, worker: Worker) -> None:
        hand.worker = replace(worker, elsewhere=hand.elsewhere, cpus=None if hand.elsewhere else worker.cpus)

    def _ship(self) -> None:
        pipeline = self._plan.pipeline
        reader = load("source", pipeline.source.name)(pipeline.source).reader()
        try:
            shipment = Shipment.of(pipeline.images, reader)
        except OSError as error:
            raise TrialFailed(f"mode.ship_source: an image cannot be read: {error}", kind=type(error).__name__) from error
        finally:
            reader.close()
        with self._in_words():
            self._shipment = self._ray.put(shipment)
        self.shipped_bytes = shipment.content.nbytes

    def _check_reach(self, of_node: dict[str, Hand]) -> None:
        """Ask one worker of each node on another host whether it can reach what it is to read and to write."""
        for hand in of_node.values():

            def asked(name: str, *arguments: Any, hand: Hand = hand) -> Any:
                return self.ask([hand], name, *arguments)[0]

            if self._shipment is None:
                check_source(self._plan.pipeline, self.node(hand), asked)
            check_sink(self._plan.pipeline, self.node(hand), asked)

    def _give_up_where_there_is_no_room(self) -> None:
        for arrival in self._arriving.values():
            placed, _ = self._ray.wait([arrival.place], timeout=0)
            if not placed and time.monotonic() - arrival.since > _NOBODY_S:
                raise TrialKilled(f"no worker is left, and in {_NOBODY_S:g} s the cluster had no room for another")

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what Ray raises into an error of this program, unless it means that a worker is no more."""
        try:
            yield
        except self.gone:
            raise
        except self._ray.exceptions.RayError as error:
            # One that was raised in a worker comes as another, with its text.
            if isinstance(error, self.full) or any(kind.__name__ in str(error) for kind in self.full):
                raise _store_is_full(error) from error
            raise TrialFailed(f"Ray: {first_line(error)}", kind=type(error).__name__) from error


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _store_is_full(error: Exception) -> TrialFailed:
    advice = "fewer workers, smaller results, mode.returns=digest, or a larger mode.object_store_mb"
    message = f"Ray's memory for objects is full, and what does not fit into it cannot be written to disk: {advice}"
    return TrialFailed(message, kind="ObjectStoreFull", remote_traceback=str(error))
