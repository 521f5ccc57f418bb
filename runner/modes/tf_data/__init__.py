"""``mode=tf_data``: TensorFlow's own input pipeline, ``Dataset.map`` with ``workers`` parallel calls in a thread pool of that size.

Where the source is local files and the task is TensorFlow's, everything up to the sink is one graph, as one would write it by hand,
with time stamps in it. Any other source or task is called from the graph, image by image, and needs Python's interpreter lock for
that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from time import perf_counter_ns
from typing import Any

from runner.config.options import Parallelism, TfData
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.tf_data.calls import GraphWork, ItemWork, item_work
from runner.modes.tf_data.dataset import autotuned, dataset_of, elements
from runner.modes.tf_data.groups import handing_on, singles, stacks
from runner.modes.tf_data.worker_lanes import WorkerLanes
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import MOST_ERRORS, Pipeline, describe
from runner.pipeline.stamps import Records


class TfDataMode(Mode):
    """One process. TensorFlow's threads handle the images, this one takes the results to the sink."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: TfData = plan.mode
        self._pipeline: Pipeline
        self._in_graph: bool
        self._autotuned: dict[str, Any] = {}

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=True)
        self._pipeline = self._plan.pipeline.build()
        # A program of one's own makes its dataset once, before it can be used. Here each pass makes it again, untimed.
        work = item_work(self._pipeline)
        self._in_graph = isinstance(work, GraphWork)
        dataset_of(range(1), work.one, self._plan)
        return [Worker.this_process(threads)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        items = range(epoch.items)
        work = item_work(self._pipeline)
        failed: list[int] = []
        intake = events.intake
        batching = None if intake is None else self._plan.batches
        dataset = dataset_of(self._not_refused(items), work.one, self._plan, batching, stacked=self._in_graph)
        events.released()
        if epoch.verify and not self._in_graph:
            self._pipeline.verify(items, records)
        else:
            if not epoch.verify:
                self._pipeline.begin(epoch.number)
            handled = self._verified(dataset, work, records) if epoch.verify else self._timed(dataset, work, records, events)
            failed = list(_missing(items, unloading(handled, records, collector.add)))
            if not epoch.verify:
                records.receipt = self._pipeline.end()
            if intake is not None:
                for item in failed:
                    intake.missed(item)
        ended_ns = perf_counter_ns()
        events.finished()
        # Untimed, because it may take as long as the pass itself.
        if epoch.verify:
            self._verify_again(failed, work.errors, records)
        else:
            self._record_failed(failed, work.errors, records, ended_ns)
        return collector.done([records])

    def facts(self) -> dict[str, Any]:
        asked = {"num_parallel_calls": self._plan.workers, "prefetch": self._option.prefetch}
        return {"private_threadpool_size": self._plan.workers, "in_graph": self._in_graph, **asked, **self._autotuned}

    def stop(self) -> None:
        self._pipeline.close()

    def _not_refused(self, items: range) -> Iterable[int]:
        images = self._pipeline.images
        refused = {index for index, image in enumerate(images) if image.refused is not None}
        return [item for item in items if item % len(images) not in refused] if refused else items

    def _timed(self, dataset: Any, work: ItemWork, records: Records, events: EpochEvents) -> Iterator[int]:
        """The items of a timed epoch as they come out of the dataset; their records are made here.

        An image that is done and waits to be taken is in its sink stage, while its worker is already at the next one.
        """
        put, now_ns, hand_on = self._pipeline.sink.put, perf_counter_ns, handing_on(self._pipeline.task, events.intake)
        lanes, timer, done = WorkerLanes(self._plan.workers), ProgressTimer(), 0
        iterator = iter(dataset)
        stacked = self._in_graph and events.intake is not None
        for group in stacks(iterator, work) if stacked else singles(iterator, work):
            for one in group.handled:
                item, error = one.item, one.error
                sink_start = now_ns()
                if error is None:
                    try:
                        put(one.result, item)
                    except Exception as failure:  # whatever one image does, the epoch goes on
                        error = group.failed[item] = failure
                end = now_ns()
                started, read, ran = (min(stamp, sink_start) for stamp in one.stamps)
                records.values.extend((item, lanes.of(started, ran), 0, started, read, ran, end, int(error is None)))
                if error is not None and len(records.errors) < MOST_ERRORS:
                    records.errors[item] = describe(error)
                done += 1
                if timer.due():
                    events.progress(done)
                yield item
            hand_on(group)
        self._autotuned = autotuned(iterator) if self._option.parallelism is Parallelism.autotune else {}

    def _verified(self, dataset: Any, work: ItemWork, records: Records) -> Iterator[int]:
        for element in elements(iter(dataset)):
            one = work.handled(element)
            records.digests[one.item] = self._pipeline.task.digest(one.result)
            self._pipeline.check_unchanged(one.item, records)
            yield one.item

    def _verify_again(self, failed: Iterable[int], errors: Mapping[int, str], records: Records) -> None:
        """A graph drops an item that fails in it: verify such items outside of the graph, which gives their digests and errors."""
        for item in failed:
            outside = self._tried_again(item)
            records.digests[item] = outside.digests[item]
            self._keep_error(item, outside, errors, records)

    def _record_failed(self, failed: Iterable[int], errors: Mapping[int, str], records: Records, at_ns: int) -> None:
        """A graph drops an item that fails in it: record such items as failed at ``at_ns``.

        Those of which no error was kept are tried again outside of the graph, where the error can be seen.
        """
        for item in failed:
            known = item in errors or len(records.errors) >= MOST_ERRORS
            self._keep_error(item, Records() if known else self._tried_again(item), errors, records)
            records.values.extend((item, 0, 0, at_ns, at_ns, at_ns, at_ns, 0))

    def _tried_again(self, item: int) -> Records:
        outside = Records()
        self._pipeline.verify([item], outside)
        return outside

    @staticmethod
    def _keep_error(item: int, outside: Records, errors: Mapping[int, str], records: Records) -> None:
        if len(records.errors) < MOST_ERRORS:
            again = outside.errors.get(item, "failed within tf.data, but not when it was tried again")
            records.errors[item] = errors.get(item, again)


def _missing(items: range, seen: Iterable[int]) -> Iterator[int]:
    """Those of ``items`` that are not in ``seen``, which is gone through first."""
    there = bytearray(len(items))
    for item in seen:
        there[item] = 1
    return (item for item in items if not there[item])


PROVIDES = TfDataMode
