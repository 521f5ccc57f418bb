"""``mode=ray``: actors on a cluster, one that is started here or one of somebody else's; this process hands them runs of items."""

from __future__ import annotations

import contextlib
import pickle
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from runner.config.options import Ray, Returns
from runner.errors import TrialError, TrialFailed, TrialKilled
from runner.host.memory import Footprint
from runner.modes import Books, Epoch, ModePlan, Watch, Who, Worker
from runner.modes.ray.cluster import Cluster, head_gone, imported, remove_abandoned
from runner.modes.ray.crew import Crew, Hand
from runner.modes.ray.nodes import Accounts
from runner.modes.ray.worker import Part
from runner.modes.workers.returning import Returned, slot_bytes
from runner.modes.workers.sharing import AHEAD, run_length
from runner.modes.workers.threads import PROGRESS_INTERVAL_S
from runner.pipeline.arrays import array_digest
from runner.pipeline.collector import Collector
from runner.pipeline.stamps import Records

# The results of a run of items come back together; no more bytes than these, so that few are in shared memory at any time.
_RUN_BYTES = 8_000_000


class RayMode:
    """``workers`` actors."""

    forks = False
    imports_here = False

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Ray = plan.mode
        self._ray = imported(self._option)
        self._cluster: Cluster
        self._crew: Crew
        self._accounts: Accounts
        self._seconds: dict[str, float] = {}
        self._retried = 0

    def start(self) -> list[Worker]:
        option, began = self._option, perf_counter()
        if option.address is None:
            self._cluster = Cluster.started(self._ray, option, self._plan.workers)
        else:
            self._cluster = Cluster.joined(self._ray, option.address)
        self._seconds["cluster_s"], began = perf_counter() - began, perf_counter()
        self._crew = Crew(self._ray, self._plan, self._cluster)
        self._accounts = Accounts(self._crew, self._cluster)
        with self._ending_with_a_failure():
            self._crew.start()
        self._seconds["actors_s"] = perf_counter() - began
        return self._crew.workers()

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        with self._ending_with_a_failure():
            self._crew.arrived()
            self._accounts.set_clocks()
            runs = _Runs(epoch.items, self._plan)
            watch.released()
            of_pass = _Pass(self._crew, self._accounts, epoch, runs, Collector(self._plan.spool))
            of_pass.run(watch)
            watch.finished()
            self._retried += runs.retried
            return of_pass.records()

    def books(self) -> dict[Who, Books]:
        return self._accounts.books()

    def crew(self) -> list[Worker]:
        return self._crew.workers()

    def node_of(self) -> dict[int, str]:
        return {hand.number: self._crew.node(hand) for hand in self._crew.all if hand.worker is not None}

    def elsewhere(self) -> list[Footprint]:
        return self._accounts.look()

    def nodes(self) -> list[dict[str, Any]]:
        return self._accounts.nodes()

    def facts(self) -> dict[str, Any]:
        """What the record is to say of this backend."""
        crew = self._crew
        return {
            "ray": self._ray.__version__,
            "cluster": "started here" if self._cluster.embedded else self._option.address,
            "connection_attempts": self._cluster.attempts,
            "placement": self._option.placement.value,
            **self._seconds,
            "shipped_bytes": crew.shipped_bytes,
            "retried_images": self._retried,
            "workers_replaced": sum(1 for hand in crew.all if hand.dead),
            "workers_at_end": len(crew.hands()),
        }

    def stop(self) -> None:
        self._crew.let_go()
        self._cluster.end()

    @contextlib.contextmanager
    def _ending_with_a_failure(self) -> Iterator[None]:
        try:
            yield
        except TrialError:
            self._cluster.end()
            raise

    @staticmethod
    def why_silent(option: Ray) -> TrialError | None:
        """In the conductor: why a trial may have ended without a report."""
        return head_gone(option.address)

    @staticmethod
    def after_trial() -> None:
        """In the conductor: remove what a trial that was killed could not."""
        remove_abandoned()


@dataclass(frozen=True)
class _Run:
    """Some items, and how often they have been tried before."""

    items: range
    tries: int = 0


class _Runs:
    """The items of a pass in runs; those that are to be tried again come first.

    Attributes:
        again: what is to be tried again.
        retried: how many images were, each as often as it was.
    """

    def __init__(self, items: int, plan: ModePlan) -> None:
        self._option: Ray = plan.mode
        self._workers = plan.workers
        # Empty results need no limit, and their task may not say how large they are.
        self._most = (
            items
            if self._option.returns is Returns.digest
            else max(1, _RUN_BYTES // slot_bytes(plan.pipeline.task, plan.pipeline.images))
        )
        self._fresh = self._cut(items)
        self.again: deque[_Run] = deque()
        self.retried = 0

    def next(self) -> _Run | None:
        """What comes next; None where there is nothing by now."""
        return self.again.popleft() if self.again else next(self._fresh, None)

    def once_more(self, run: _Run, who: str) -> None:
        """A run of items was lost with its worker.

        Raises:
            TrialKilled: it has been tried often enough.
        """
        if run.tries >= self._option.max_retries:
            allowed = f"mode.max_retries={self._option.max_retries}"
            raise TrialKilled(f"{who} is no more, and the images that it had were tried as often as they may be ({allowed})")
        self.retried += len(run.items)
        self.again.append(_Run(run.items, run.tries + 1))

    def _cut(self, items: int) -> Iterator[_Run]:
        start = 0
        while start < items:
            length = min(run_length(items - start, self._workers, self._option.chunksize), self._most)
            stop = min(items, start + length)
            yield _Run(range(start, stop))
            start = stop


class _Pass:
    """One pass over the images: who has which run of them, and what has come of it."""

    def __init__(self, crew: Crew, accounts: Accounts, epoch: Epoch, runs: _Runs, collector: Collector) -> None:
        self._crew, self._accounts, self._epoch, self._runs = crew, accounts, epoch, runs
        self._collector = collector
        self._flight: dict[Any, tuple[Hand, _Run]] = {}
        self._returned_bytes = 0
        self._received: dict[int, bytes] = {}

    def run(self, watch: Watch) -> None:
        """Return when all is done."""
        for _ in range(AHEAD):
            for hand in self._crew.hands():
                self._give(hand)
        told = perf_counter()
        while self._flight or self._runs.again:
            for ref in self._done():
                self._take(ref)
            for hand in self._crew.arrived():
                self._accounts.set_clocks()
                self._give(hand)
            if self._runs.again:
                self._give_to_whoever_has_least()
            if perf_counter() - told > PROGRESS_INTERVAL_S:
                watch.progress(len(self._collector))
                told = perf_counter()

    def records(self) -> Records:
        """All of them.

        Raises:
            TrialFailed: a result came back other than it was sent.
        """
        records = self._collector.done()
        records.returned_bytes = self._returned_bytes
        if self._received != records.handed_over:
            raise TrialFailed("results came back from the workers other than they were sent", kind="ReturnPath")
        return records

    def _give(self, hand: Hand) -> None:
        if (run := self._runs.next()) is not None:
            ref = hand.call("handle", run.items, hand.number, self._epoch.number, self._epoch.verify)
            self._flight[ref] = hand, run
            hand.busy += 1

    def _give_to_whoever_has_least(self) -> None:
        for hand in sorted(self._crew.hands(), key=lambda hand: hand.busy):
            if self._runs.again and hand.busy < AHEAD:
                self._give(hand)

    def _done(self) -> Sequence[Any]:
        """Runs of items that are done, after a while at the latest; their results are here."""
        if not self._flight:
            for hand in self._crew.arrived(PROGRESS_INTERVAL_S):
                self._give(hand)
            return ()
        return self._crew.first_done(list(self._flight), PROGRESS_INTERVAL_S)

    def _take(self, ref: Any) -> None:
        hand, run = self._flight.pop(ref)
        hand.busy -= 1
        try:
            part: Part = self._crew.got(ref, hand)
        except self._crew.gone as error:
            self._accounts.settle(hand)
            self._crew.lose(hand, error)
            self._runs.once_more(run, f"worker {hand.number} on node {self._crew.node(hand)}")
            return
        hand.cpu_ns = part.cpu_ns
        self._accounts.onto_our_clock(part.records, hand)
        self._collector.add(part.records)
        for result in _results(part):  # what a consumer would see
            self._returned_bytes += result.array.nbytes
            if self._epoch.verify:
                self._received[result.item] = array_digest(result.array)
        del part  # and with it the memory that its results are in
        self._give(hand)


def _results(part: Part) -> Sequence[Returned]:
    if isinstance(part.results, bytes):
        results: Sequence[Returned] = pickle.loads(part.results)  # noqa: S301  (from a worker of this trial)
        return results
    return part.results or ()


PROVIDES = RayMode
