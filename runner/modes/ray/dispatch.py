"""One epoch: runs of items are sent to workers, and records and results taken back."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.modes import Epoch, EpochEvents, Intake
from runner.modes.ray.calls import Calls
from runner.modes.ray.clocks import HostClocks
from runner.modes.ray.messages import RunDone
from runner.modes.ray.runs import Run, Runs
from runner.modes.ray.usage import UsageReports
from runner.modes.ray.worker_handle import WorkerHandle
from runner.modes.ray.workers import Workers
from runner.modes.workers.due_runs import take_run
from runner.modes.workers.messages import Returned
from runner.modes.workers.progress import PROGRESS_INTERVAL_S, ProgressTimer
from runner.modes.workers.queues import RUNS_PER_WORKER
from runner.modes.workers.returning import ReturnCheck
from runner.pipeline.collector import Collector
from runner.pipeline.stamps import Records

# How often is looked whether a run that was held back may be sent, in seconds: Ray cannot wait for its own calls and for something else.
_HELD_S = 0.01


@dataclass
class Dispatch:
    """Sends the runs of one epoch, and collects what comes back."""

    workers: Workers
    calls: Calls
    usage: UsageReports
    clocks: HostClocks
    epoch: Epoch
    runs: Runs
    collector: Collector
    _in_flight: dict[Any, tuple[WorkerHandle, Run]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._check = ReturnCheck(verify=self.epoch.verify)

    def run(self, events: EpochEvents) -> None:
        """Return when every item is done.

        Raises:
            TrialError: workers died, and their images may not be tried again.
        """
        for _ in range(RUNS_PER_WORKER):
            for worker in self.workers.alive():
                self._send_next(worker)
        timer, intake = ProgressTimer(), events.intake
        while self._in_flight or self.runs.again or self.runs.held is not None:
            if self.runs.held is not None and not self._in_flight and intake is not None:
                intake.wait(self.runs.held.items.start)
            for ref in self._done():
                self._take(ref, intake)
            if self.runs.held is not None:
                self._send_held()
            for worker in self.workers.replacements():
                self.clocks.estimate()
                self._send_next(worker)
            if self.runs.again:
                self._send_again()
            if timer.due():
                events.progress(len(self.collector))

    def records(self) -> Records:
        """The records of all items.

        Raises:
            TrialFailed: a result came back other than it was sent.
        """
        return self._check.complete(self.collector.done())

    def _send_next(self, worker: WorkerHandle) -> None:
        if (run := self.runs.next()) is not None:
            ref = worker.call("handle", run.items, worker.number, self.epoch.number, self.epoch.verify)
            self._in_flight[ref] = worker, run
            worker.runs += 1

    def _send_again(self) -> None:
        """Send the runs that are to be tried again to the workers that have the fewest."""
        for worker in sorted(self.workers.alive(), key=lambda worker: worker.runs):
            if self.runs.again and worker.runs < RUNS_PER_WORKER:
                self._send_next(worker)

    def _send_held(self) -> None:
        """Send runs to the workers that have room for them, in turns, as far as they may be sent by now."""
        for _ in range(RUNS_PER_WORKER):
            for worker in self.workers.alive():
                if worker.runs < RUNS_PER_WORKER:
                    self._send_next(worker)

    def _done(self) -> Sequence[Any]:
        """Calls that are done, with their results on this host; none after ``PROGRESS_INTERVAL_S``, or sooner where a run is held back."""
        if not self._in_flight and self.runs.held is not None:
            return ()
        if not self._in_flight:
            for worker in self.workers.replacements(PROGRESS_INTERVAL_S):
                self._send_next(worker)
            return ()
        return self.calls.first_done(list(self._in_flight), PROGRESS_INTERVAL_S if self.runs.held is None else _HELD_S)

    def _take(self, ref: Any, intake: Intake | None) -> None:
        worker, run = self._in_flight.pop(ref)
        worker.runs -= 1
        try:
            done: RunDone = self.calls.result(ref, worker)
        except self.calls.died as error:
            self.usage.settle(worker)
            self.workers.replace(worker, error)
            self.runs.retry(run, f"worker {worker.number} on node {self.workers.node_name(worker)}")
            return
        worker.cpu_ns = done.cpu_ns
        self.clocks.correct(done.records, worker)
        self.collector.add(done.records)
        take_run(done.records, _results(done), intake, self._check)
        del done  # and with it the memory that its results are in
        self._send_next(worker)


def _results(done: RunDone) -> Sequence[Returned]:
    if isinstance(done.results, bytes):
        results: Sequence[Returned] = pickle.loads(done.results)  # noqa: S301  (from a worker of this trial)
        return results
    return done.results or ()
