"""Real worker processes, each with a TensorFlow runtime of its own.

Where workers are forked, they are forked out of the trial before it has started TensorFlow's runtime and while it has one
thread: a fork after that hangs in the first op. Everything a worker gets is picklable, so that the same code serves
``spawn`` and ``forkserver``.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from time import perf_counter
from typing import Any

from runner.config.options import ProcessOption, Returns, StartMethod
from runner.errors import ConductorGone, TrialFailed, ended_by
from runner.host.affinity import allowed_cpus
from runner.host.connections import Connection
from runner.host.watchdog import die_with_parent
from runner.modes import Books, Epoch, ModePlan, Watch, Worker
from runner.modes.workers.returning import InSlot, Outbox, Returned, ReturningSink, check_room, hash_of, slot_bytes
from runner.modes.workers.runtime import ThreadLimits, start_runtime
from runner.modes.workers.sharing import Sharing
from runner.modes.workers.slots import SLOTS, Slots
from runner.modes.workers.threads import PROGRESS_INTERVAL_S, ThreadTeam
from runner.pipeline.collector import PART, Collector
from runner.pipeline.hot_path import Pipeline, PipelinePlan
from runner.pipeline.sinks import Sink
from runner.pipeline.stamps import Records

# What a fork server, where one is asked for, has imported before it forks: with TensorFlow, and without it.
PRELOAD_TENSORFLOW = "runner.trial.preload_tensorflow"
PRELOAD_LIGHT = "runner.trial.preload_light"

# How many items a worker with one thread handles before it looks whether it is time to send its records home.
_CHECK_EVERY = 16


@dataclass(frozen=True)
class Armed:
    """A worker stands ready for the epoch that it was told."""


@dataclass(frozen=True)
class AskBooks:
    """A worker that waits for something to do is to say what it has used."""


@dataclass(frozen=True)
class Part:
    """Some records of the epoch; ``last`` if there are no more from this worker."""

    records: Records
    last: bool


@dataclass(frozen=True)
class Failure:
    """An exception ended the worker."""

    kind: str
    message: str
    traceback: str


@dataclass(frozen=True)
class WorkerPlan:
    """All that a worker process is built from."""

    index: int
    threads: int
    limits: ThreadLimits
    pipeline: PipelinePlan
    sharing: Sharing
    returns: bool = False
    slots: Slots | None = None


class ProcessMode:
    """A mode whose workers are processes; a subclass says how they share the items."""

    def __init__(self, plan: ModePlan) -> None:
        option: ProcessOption = plan.mode
        self._plan = plan
        self._threads = option.threads_per_worker
        self._method = resolved(option.start_method)
        self._context = multiprocessing.get_context(self._method)
        self._sharing = self.sharing(self._context, plan.workers * self._threads)
        self._processes: list[BaseProcess] = []
        self._connections: list[Connection] = []
        self._returns = option.returns
        self._slots: list[Slots] = []
        self._ways = dict.fromkeys(("pickle", "shared_memory"), 0)
        self.forks = self._method == "fork"
        self.imports_here = self.forks

    def sharing(self, context: BaseContext, hands: int) -> Sharing:
        raise NotImplementedError

    def start(self) -> list[Worker]:
        if self._method == "forkserver":
            tensorflow = self._plan.pipeline.uses_tensorflow
            self._context.set_forkserver_preload([PRELOAD_TENSORFLOW if tensorflow else PRELOAD_LIGHT])
        room_bytes = slot_bytes(self._plan.pipeline.task, self._plan.pipeline.images)
        if self._returns is Returns.shared_memory:
            check_room(room_bytes * SLOTS * self._plan.workers)
        for index in range(self._plan.workers):
            here, there = self._context.Pipe()
            if self._returns is Returns.shared_memory:
                self._slots.append(Slots(self._context, room_bytes))
            plan = WorkerPlan(
                index, self._threads, self._plan.limits, self._plan.pipeline, self._sharing,
                returns=self._returns is not Returns.digest, slots=self._slots[index] if self._slots else None,
            )  # fmt: skip
            process = self._context.Process(target=serve, args=(there, plan), name=f"worker-{index}")  # type: ignore[attr-defined]
            process.start()
            there.close()
            self._processes.append(process)
            self._connections.append(here)
        workers: list[Worker | None] = [None] * self._plan.workers
        for index, message in self._messages(Worker):
            workers[index] = message
        return [worker for worker in workers if worker is not None]

    def run(self, epoch: Epoch, watch: Watch) -> Records:
        self._tell(epoch)
        for _ in self._messages(Armed):
            pass
        self._sharing.prepare(epoch.items)
        watch.released()
        self._tell(None)
        collector = Collector(self._plan.spool)
        returned_bytes, received = 0, {}
        for index, message in self._messages(Part, Returned, InSlot):
            if isinstance(message, Part):
                collector.add(message.records)
                if not message.last:
                    watch.progress(len(collector))
            else:
                with self._result(index, message) as array:  # what a consumer would see
                    returned_bytes += array.nbytes
                    self._ways["pickle" if isinstance(message, Returned) else "shared_memory"] += 1
                    if epoch.verify:
                        received[message.item] = hash_of(array)
        watch.finished()
        records = collector.done()
        records.returned_bytes = returned_bytes
        if received != records.handed_over:
            raise TrialFailed("results came back from the workers other than they were sent", kind="ReturnPath")
        return records

    @contextlib.contextmanager
    def _result(self, index: int, message: Returned | InSlot) -> Iterator[Any]:
        """The array that came back; of one in a slot a view, which is good as long as the context lasts."""
        if isinstance(message, Returned):
            yield message.array
            return
        slots = self._slots[index]
        yield slots.view(message.slot, message.shape, message.dtype)
        slots.release(message.slot)

    def facts(self) -> dict[str, Any]:
        """What the record is to say of this backend: by which way how many results have come back, warm-up and verification included."""
        return {} if self._returns is Returns.digest else {"returned_by": dict(self._ways)}

    def books(self) -> dict[int, Books]:
        self._tell(AskBooks())
        return {self._processes[index].pid or 0: books for index, books in self._messages(Books)}

    def stop(self) -> None:
        self._tell(None)
        for process, connection in zip(self._processes, self._connections, strict=True):
            process.join()
            connection.close()
        for slots in self._slots:
            slots.close()
        if self._method == "forkserver":
            # The server has reaped the workers; only once it is reaped itself are their CPU seconds ours to read.
            # There is no public way to end it; without this one, it ends with the trial.
            from multiprocessing import forkserver

            if (end := getattr(forkserver._forkserver, "_stop", None)) is not None:  # noqa: SLF001
                end()

    def _tell(self, message: Epoch | AskBooks | None) -> None:
        data = pickle.dumps(message)
        for index, connection in enumerate(self._connections):
            try:
                connection.send_bytes(data)
            except OSError:
                raise self._ended(index) from None

    def _messages(self, *wanted: type[Any]) -> Iterator[tuple[int, Any]]:
        """Messages of the ``wanted`` types until each worker has sent one (of parts, its last), whoever is first."""
        waiting = set(range(len(self._connections)))
        of_connection = {connection: index for index, connection in enumerate(self._connections)}
        of_sentinel = {process.sentinel: index for index, process in enumerate(self._processes)}
        parent = multiprocessing.parent_process()
        sentinels = [*of_sentinel, *([parent.sentinel] if parent else [])]
        while waiting:
            ready = wait([*(self._connections[index] for index in waiting), *sentinels])
            for source in ready:
                if source in of_connection:
                    index = of_connection[source]
                    message = self._receive(index)
                    if isinstance(message, Failure):
                        who = f"worker {index}"
                        raise TrialFailed(f"{who}: {message.message}", kind=message.kind, remote_traceback=message.traceback)
                    if not isinstance(message, wanted):
                        raise TrialFailed(f"worker {index} sent {type(message).__name__}, not {wanted[0].__name__}")
                    if getattr(message, "last", not isinstance(message, Returned | InSlot)):
                        waiting.discard(index)
                    yield index, message
            for source in ready:
                # One that still owes a message is heard first; its closed pipe tells the rest.
                if source in of_sentinel and of_sentinel[source] not in waiting:
                    raise self._ended(of_sentinel[source])
                if parent is not None and source == parent.sentinel:
                    raise ConductorGone("the conductor is gone")

    def _receive(self, index: int) -> object:
        try:
            return self._connections[index].recv()
        except (EOFError, OSError):
            raise self._ended(index) from None

    def _ended(self, index: int) -> Exception:
        process = self._processes[index]
        process.join(1.0)  # its pipe is closed: it is at its end, and the exit code a moment away
        return ended_by(f"worker {index} (pid {process.pid})", process.exitcode)


def resolved(method: StartMethod) -> str:
    """The start method that ``auto`` stands for on this system."""
    if method is not StartMethod.auto:
        return str(method.value)
    return "fork" if sys.platform == "linux" else "spawn"


def serve(connection: Connection, plan: WorkerPlan) -> None:
    """A worker process, from its first line to its last."""
    die_with_parent()
    try:
        _serve(connection, plan)
    except EOFError:
        pass  # the trial is gone, and with it the reason to be here
    except BaseException as error:  # told to the trial, which fails with it
        connection.send(Failure(type(error).__name__, str(error), traceback.format_exc()))


def _serve(connection: Connection, plan: WorkerPlan) -> None:
    began = perf_counter()
    plan.pipeline.import_stages()
    import_s = perf_counter() - began
    threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
    outbox = Outbox(connection)
    pipeline = plan.pipeline.build(_returning(plan, outbox) if plan.returns else None)
    first_hand = plan.index * plan.threads
    team = None
    if plan.threads > 1:
        identities = [(plan.index, thread) for thread in range(plan.threads)]
        team = ThreadTeam(pipeline, plan.sharing, identities, first_hand)
        team.start()
    connection.send(Worker(pid=os.getpid(), threads=threads, import_s=import_s, cpus=allowed_cpus()))
    while (epoch := _next_order(connection)) is not None:
        connection.send(Armed())
        _next_order(connection)  # released
        if team is not None:
            _run_team(outbox, team, epoch)
        elif epoch.verify:
            records = Records()
            pipeline.verify(plan.sharing.items_for(epoch.items, first_hand), records)
            connection.send(Part(records, last=True))
        else:
            pipeline.begin(epoch.number)
            _handle(outbox, plan, pipeline, epoch)
    if team is not None:
        team.stop()
    pipeline.close()


def _returning(plan: WorkerPlan, outbox: Outbox) -> Callable[[Sink, Callable[[Any], Any]], Sink]:
    return lambda sink, array: ReturningSink(sink, array, outbox, plan.slots)


def _run_team(outbox: Outbox, team: ThreadTeam, epoch: Epoch) -> None:
    """Have the team run the epoch, and send records home now and then."""
    parts = team.run(epoch, lambda part: outbox.send(Part(part, last=False)), lambda _: None)
    outbox.send(Part(Collector(None).done(parts), last=True))


def _next_order(connection: Connection) -> Epoch | None:
    """What there is to do next; until then, answers to what is asked."""
    while isinstance(order := connection.recv(), AskBooks):
        connection.send(Books.own())
    return order  # type: ignore[no-any-return]


def _handle(outbox: Outbox, plan: WorkerPlan, pipeline: Pipeline, epoch: Epoch) -> None:
    """Handle this worker's items in its main thread, and send records home now and then."""
    records = Records()
    sent = perf_counter()

    def items() -> Iterator[int]:
        nonlocal sent
        for count, item in enumerate(plan.sharing.items_for(epoch.items, plan.index)):
            if not count % _CHECK_EVERY:
                least = 1 if perf_counter() - sent > PROGRESS_INTERVAL_S else PART
                if (part := records.drained(least)) is not None:
                    outbox.send(Part(part, last=False))
                    sent = perf_counter()
            yield item

    pipeline.handle(items(), plan.index, 0, records)
    records.receipt = pipeline.end()
    outbox.send(Part(records, last=True))
