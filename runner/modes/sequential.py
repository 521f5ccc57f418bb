"""``mode=sequential``: one image after the other, in the main thread of the trial."""

from __future__ import annotations

from collections.abc import Iterator

from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.runtime import start_runtime
from runner.modes.workers.turn import handed_on, in_turn
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import Pipeline
from runner.pipeline.sinks.handing import HandingSink
from runner.pipeline.stamps import Records


class Sequential(Mode):
    """One worker, which is this thread."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._pipeline: Pipeline

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=self._plan.pipeline.uses_tensorflow)
        self._pipeline = self._plan.pipeline.build(HandingSink if self._plan.batches is not None else None)
        return [Worker.this_process(threads)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        events.released()
        if epoch.verify:
            self._pipeline.verify(range(epoch.items), records)
        else:
            self._pipeline.begin(epoch.number)
            items = unloading(_with_progress(epoch.items, events), records, collector.add)
            intake = events.intake
            with handed_on(self._pipeline, intake):
                self._pipeline.handle(items if intake is None else in_turn(items, intake), 0, 0, records)
            records.receipt = self._pipeline.end()
        events.finished()
        return collector.done([records])

    def stop(self) -> None:
        self._pipeline.close()


def _with_progress(items: int, events: EpochEvents) -> Iterator[int]:
    timer = ProgressTimer()
    for item in range(items):
        yield item
        if timer.due():
            events.progress(item + 1)


PROVIDES = Sequential
