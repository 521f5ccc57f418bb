"""What modes have in common whose workers are threads of the trial process."""

from __future__ import annotations

from abc import abstractmethod

from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.distribution import Distribution
from runner.modes.workers.runtime import ThreadLimits, start_runtime
from runner.modes.workers.thread_team import ThreadId, ThreadTeam, Turn
from runner.modes.workers.turn import handed_on, in_turn
from runner.pipeline.collector import Collector
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks.handing import HandingSink
from runner.pipeline.stamps import Records


class ThreadMode(Mode):
    """A mode whose workers are threads; a subclass says how items are distributed to them."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._distribution = self.distribution(plan.workers)
        self._team: ThreadTeam
        self._pipeline: Pipeline

    @abstractmethod
    def distribution(self, threads: int) -> Distribution:
        """How items come to ``threads`` threads."""

    def limits(self) -> ThreadLimits:
        """TensorFlow's threads in this mode."""
        return self._plan.limits

    def start(self) -> list[Worker]:
        threads = start_runtime(self.limits(), tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build(HandingSink if self._plan.batches is not None else None)
        self._team = ThreadTeam(self._pipeline, self._distribution, [ThreadId(worker) for worker in range(self._plan.workers)])
        self._team.start()
        return [Worker.this_process(threads)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        collector = Collector(self._plan.spool)

        def progress(per_thread: list[Records]) -> None:
            events.progress(len(collector) + sum(map(len, per_thread)))

        self._distribution.prepare(epoch.items)
        events.released()
        intake = events.intake
        turn: Turn | None = None if intake is None else lambda items, _: in_turn(items, intake)
        with handed_on(self._pipeline, intake):
            remaining = self._team.run(epoch, collector.add, progress, turn)
        events.finished()
        return collector.done(remaining)

    def stop(self) -> None:
        self._team.stop()
        self._pipeline.close()
