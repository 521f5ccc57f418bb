"""What modes have in common whose workers are real processes, each with a TensorFlow runtime of its own.

Where workers are forked, they are forked from the trial before it has started TensorFlow's runtime and while it has one thread: a
fork after that hangs in the first op. What a worker is sent can be pickled, so that the same code serves ``spawn`` and
``forkserver``.
"""

from __future__ import annotations

import multiprocessing
from abc import abstractmethod
from functools import partial
from multiprocessing.context import BaseContext
from typing import Any

from runner.config.options import ProcessOption, Returns
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker, WorkerId, WorkerUsage
from runner.modes.workers.distribution import Distribution
from runner.modes.workers.messages import InSlot, Missed, Ready, RecordsPart, Returned, UsageRequest, WorkerPlan
from runner.modes.workers.returning import ReturnCheck, ReturnPath, slot_bytes
from runner.modes.workers.shared_memory import Slots
from runner.modes.workers.start_methods import end_fork_server, preload_fork_server, start_method
from runner.modes.workers.turn import Turns, Waiting
from runner.modes.workers.worker_processes import WorkerProcesses
from runner.pipeline.collector import Collector
from runner.pipeline.stamps import Records


class ProcessMode(Mode):
    """A mode whose workers are processes; a subclass says how items are distributed to their threads."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: ProcessOption = plan.mode
        self._method = start_method(self._option.start_method)
        self._context = multiprocessing.get_context(self._method)
        self._distribution = self.distribution(self._context, plan.workers * self._option.threads_per_worker)
        self._processes = WorkerProcesses(self._context)
        self._return_path = ReturnPath()
        self._turns: list[Turns] = []
        self.forks = self._method == "fork"
        self.imports_here = self.forks

    @abstractmethod
    def distribution(self, context: BaseContext, threads: int) -> Distribution:
        """How items come to ``threads`` threads, counted through all workers."""

    def start(self) -> list[Worker]:
        plan, option = self._plan, self._option
        if self._method == "forkserver":
            preload_fork_server(self._context, tensorflow=plan.pipeline.uses_tensorflow)
        slots: list[Slots] = []
        for index in range(plan.workers):
            if plan.batches is not None and plan.batches.kept:
                self._turns.append(Turns(self._context, option.threads_per_worker))
            if option.returns is Returns.shared_memory:
                slots.append(Slots(self._context, slot_bytes(plan.pipeline.task, plan.pipeline.images)))
            worker = WorkerPlan(
                index=index,
                threads=option.threads_per_worker,
                limits=plan.limits,
                pipeline=plan.pipeline,
                distribution=self._distribution,
                returns=option.returns is not Returns.digest,
                slots=slots[index] if slots else None,
                turns=self._turns[index] if self._turns else None,
            )
            self._processes.start(worker)
        self._return_path = ReturnPath(slots)
        ready = dict(self._processes.messages(Worker))
        return [ready[index] for index in range(plan.workers)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        self._processes.send(epoch)
        for _ in self._processes.messages(Ready):
            pass
        self._distribution.prepare(epoch.items)
        events.released()
        self._processes.send(None)
        collector, check, intake = Collector(self._plan.spool), ReturnCheck(verify=epoch.verify), events.intake
        for index, message in self._processes.messages(RecordsPart, Returned, InSlot, Missed, Waiting):
            match message:
                case RecordsPart():
                    collector.add(message.records)
                    if not message.last:
                        events.progress(len(collector))
                case Returned() | InSlot():
                    with self._return_path.result(index, message) as array:
                        check.add(message.item, array)
                        if intake is not None:
                            intake.result(message.item, array, lasting=isinstance(message, Returned))
                case Missed() if intake is not None:
                    intake.missed(message.item)
                case Waiting() if intake is not None:
                    intake.when_due(message.item, partial(self._turns[index].go_on, message.thread))
        events.finished()
        return check.complete(collector.done())

    def worker_usage(self) -> dict[WorkerId, WorkerUsage]:
        self._processes.send(UsageRequest())
        return {self._processes.pid(index): usage for index, usage in self._processes.messages(WorkerUsage)}

    def facts(self) -> dict[str, Any]:
        return {} if self._option.returns is Returns.digest else {"returned_by": dict(self._return_path.counts)}

    def stop(self) -> None:
        self._processes.send(None)
        self._processes.join()
        self._return_path.close()
        for turns in self._turns:
            turns.close()
        if self._method == "forkserver":
            end_fork_server()
