"""What a worker process does, from its first line to its last."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import Any

from runner.host.connections import Connection
from runner.host.watchdog import die_with_parent
from runner.modes import Epoch, Worker, WorkerUsage
from runner.modes.workers.messages import Ready, RecordsPart, UsageRequest, WorkerFailure, WorkerPlan
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.returning import Outbox, ReturningSink
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.thread_team import ThreadId, ThreadTeam
from runner.pipeline.collector import BATCH, Collector
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks import Sink
from runner.pipeline.stamps import Records

# How many items a worker with one thread handles before it looks again whether to send its records to the trial.
_CHECK_EVERY = 16


def serve(connection: Connection, plan: WorkerPlan) -> None:
    """Be a worker process: ``connection`` is its end of the pipe to the trial."""
    die_with_parent()
    try:
        _WorkerProcess(connection, plan).serve()
    except EOFError:
        pass  # the trial is gone, and with it the reason to be here
    except BaseException as error:  # sent to the trial, which fails with it
        connection.send(WorkerFailure.of(error))


class _WorkerProcess:
    """Handles items in the main thread, or in a team of threads where a worker has several."""

    def __init__(self, connection: Connection, plan: WorkerPlan) -> None:
        self._connection, self._plan = connection, plan
        self._outbox = Outbox(connection)
        self._pipeline: Pipeline
        self._team: ThreadTeam | None = None

    def serve(self) -> None:
        self._connection.send(self._start())
        while (epoch := self._next_epoch()) is not None:
            self._connection.send(Ready())
            self._next_epoch()  # None, by which the trial releases this worker
            self._run(epoch)
        if self._team is not None:
            self._team.stop()
        self._pipeline.close()

    def _start(self) -> Worker:
        plan, began = self._plan, perf_counter()
        plan.pipeline.import_stages()
        import_s = perf_counter() - began
        threads = start_runtime(plan.limits, tensorflow=plan.pipeline.uses_tensorflow)
        self._pipeline = plan.pipeline.build(self._returning if plan.returns else None)
        if plan.threads > 1:
            ids = [ThreadId(plan.index, thread) for thread in range(plan.threads)]
            self._team = ThreadTeam(self._pipeline, plan.distribution, ids, plan.index * plan.threads)
            self._team.start()
        return Worker.this_process(threads, import_s)

    def _returning(self, sink: Sink, array: Callable[[Any], Any]) -> Sink:
        return ReturningSink(sink, array, self._outbox, self._plan.slots)

    def _next_epoch(self) -> Epoch | None:
        """What the trial sends next; requests for usage are answered meanwhile."""
        while isinstance(message := self._connection.recv(), UsageRequest):
            self._connection.send(WorkerUsage.this_process())
        return message  # type: ignore[no-any-return]

    def _run(self, epoch: Epoch) -> None:
        if self._team is not None:
            self._send(self._run_in_team(self._team, epoch), last=True)
            return
        records = Records()
        if epoch.verify:
            self._pipeline.verify(self._plan.distribution.items_for(epoch.items, self._plan.index), records)
        else:
            self._pipeline.begin(epoch.number)
            self._pipeline.handle(self._items(epoch, records), self._plan.index, 0, records)
            records.receipt = self._pipeline.end()
        self._send(records, last=True)

    def _run_in_team(self, team: ThreadTeam, epoch: Epoch) -> Records:
        """The records that are left to send; others are sent while the epoch runs."""
        remaining = team.run(epoch, lambda part: self._send(part, last=False), lambda _: None, self._in_turn)
        return Collector(None).done(remaining)

    def _items(self, epoch: Epoch, records: Records) -> Iterator[int]:
        """The items of the main thread; while it handles them, ``records`` are sent to the trial now and then."""
        timer = ProgressTimer()
        for count, item in enumerate(self._in_turn(self._plan.distribution.items_for(epoch.items, self._plan.index), 0)):
            if not count % _CHECK_EVERY and (part := records.drained(1 if timer.due() else BATCH)) is not None:
                self._send(part, last=False)
            yield item

    def _in_turn(self, items: Iterable[int], thread: int) -> Iterable[int]:
        """Items of a thread, each when it may be handled."""
        turns = self._plan.turns
        return items if turns is None else turns.items(items, thread, self._outbox.send)

    def _send(self, records: Records, *, last: bool) -> None:
        self._outbox.send(RecordsPart(records, last))
