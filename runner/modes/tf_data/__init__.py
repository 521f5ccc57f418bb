"""``mode=tf_data``: TensorFlow's own input pipeline, with ``workers`` parallel calls in a thread pool of that size.

Where the source is local files and the task is TensorFlow's, everything up to the sink is graphs, as one would write it by hand, with time
stamps in them. Any other source or task is called from a graph, image by image, and needs Python's interpreter lock for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter_ns
from typing import Any, NamedTuple

from runner.config.options import TfData, TfDataBatch, TfDataCache
from runner.disk import spool_files
from runner.errors import TrialFailed
from runner.modes import Epoch, EpochEvents, Mode, ModePlan, Worker
from runner.modes.tf_data.calls import ItemWork, item_work
from runner.modes.tf_data.dataset import Asked, dataset_of
from runner.modes.tf_data.groups import Group, handing_on, refusal_for, singles, stacks
from runner.modes.tf_data.stages import Watch
from runner.modes.tf_data.worker_lanes import WorkerLanes
from runner.modes.workers.progress import ProgressTimer
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.collector import Collector, unloading
from runner.pipeline.hot_path import MOST_ERRORS, Pipeline, describe
from runner.pipeline.stamps import Records

# Images are mixed by numbers of which so many passes have one each, before those of the configuration's next seed begin.
_SEEDS = 1_000_003


class Prepared(NamedTuple):
    """What one pass goes through: a dataset, what is mapped in it, and how many results are in its batches, None without batches."""

    dataset: Any
    work: ItemWork
    batch: int | None


class TfDataMode(Mode):
    """One process. TensorFlow's threads handle the images, this one takes the results to the sink."""

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: TfData = plan.mode
        self._caches = self._option.cache is not TfDataCache.none
        self._pipeline: Pipeline
        self._in_graph: bool
        self._kept: Prepared | None = None
        self._stages: dict[str, Any] = {}
        if self._option.cache is TfDataCache.file and plan.spool is None:
            raise TrialFailed("mode.cache=file: there is no folder for its file", kind="NoSpool")

    def start(self) -> list[Worker]:
        threads = start_runtime(self._plan.limits, tensorflow=True)
        self._pipeline = self._plan.pipeline.build()
        # A program of one's own makes its dataset once, before it can be used. Here each pass makes it again, untimed.
        work = item_work(self._pipeline)
        self._in_graph = work.in_graph
        dataset_of(range(1), work, self._plan, Asked(self._batch_size()))
        return [Worker.this_process(threads)]

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        records, collector = Records(), Collector(self._plan.spool)
        items = range(epoch.items)
        failed: list[int] = []
        intake = events.intake
        prepared = self._prepared(epoch, fed=intake is not None)
        work = prepared.work
        events.released()
        if epoch.verify and not self._in_graph:
            self._pipeline.verify(items, records)
        else:
            if not epoch.verify:
                self._pipeline.begin(epoch.number)
            work.begin()
            handled = (
                self._verified(prepared, epoch, records) if epoch.verify else self._timed(prepared, epoch, events, records)
            )
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
        stages = {stage["stage"]: stage for stage in self._stages.get("stages", ())}
        calls = stages["task"]["parallel_calls"] if "task" in stages else self._plan.workers
        buffer = stages["prefetch"]["buffer"] if "prefetch" in stages else self._option.prefetch
        asked = {"num_parallel_calls": calls, "prefetch": buffer}
        return {"private_threadpool_size": self._plan.workers, "in_graph": self._in_graph, **asked, **self._stages}

    def stop(self) -> None:
        self._pipeline.close()
        self._kept = None
        if self._plan.spool is not None and self._option.cache is TfDataCache.file:
            for path in spool_files(Path(self._plan.spool))[1:]:
                path.unlink(missing_ok=True)

    def _batch_size(self) -> int | None:
        """Results in a batch of the dataset; a consumer stacks those of a task that is called from the graph by itself."""
        batches = self._plan.batches
        if batches is not None and not self._in_graph and self._option.batch is TfDataBatch.none:
            return None
        return self._option.size_of_batch(None if batches is None else batches.size)

    def _prepared(self, epoch: Epoch, *, fed: bool) -> Prepared:
        """What a pass goes through. A dataset with a cache is the same in each pass, also in that which verifies it."""
        if self._kept is not None and (self._in_graph or not epoch.verify):
            return self._kept
        work = item_work(self._pipeline, keeps=self._caches)
        batches = self._plan.batches
        kept = fed and batches is not None and batches.kept
        batch = None if epoch.verify and self._option.batch is TfDataBatch.none else self._batch_size()
        # A dataset that is kept mixes its images anew in each pass by itself.
        seed = self._plan.seed if self._caches else self._plan.seed * _SEEDS + epoch.number
        asked = Asked(batch, kept=kept, cache=self._caches and not epoch.verify, seed=seed)
        prepared = Prepared(dataset_of(self._not_refused(range(epoch.items)), work, self._plan, asked), work, batch)
        if asked.cache:
            self._kept = prepared
        return prepared

    def _not_refused(self, items: range) -> Iterable[int]:
        images = self._pipeline.images
        refused = {index for index, image in enumerate(images) if image.refused is not None}
        return [item for item in items if item % len(images) not in refused] if refused else items

    def _groups(self, iterator: Any, prepared: Prepared) -> Iterator[Group]:
        if prepared.batch is None:
            return singles(iterator, prepared.work)
        return stacks(iterator, prepared.work, refusal_for(consumer=self._plan.batches is not None))

    def _timed(self, prepared: Prepared, epoch: Epoch, events: EpochEvents, records: Records) -> Iterator[int]:
        """The items of a timed epoch as they come out of the dataset; their records are made here.

        An image that is done and waits to be taken is in its sink stage, while its worker is already at the next one.
        """
        put, now_ns, hand_on = self._pipeline.sink.put, perf_counter_ns, handing_on(self._pipeline.task, events.intake)
        lanes, timer, done = WorkerLanes(self._plan.workers), ProgressTimer(), 0
        iterator = iter(prepared.dataset)
        watch = Watch(self._plan, iterator, epoch.items, prepared.batch) if self._option.tunes else None
        for group in self._groups(iterator, prepared):
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
            if watch is not None:
                watch.add(group.handled)
            hand_on(group)
        if watch is not None:
            self._stages = watch.ended()

    def _verified(self, prepared: Prepared, epoch: Epoch, records: Records) -> Iterator[int]:
        for group in self._groups(iter(prepared.dataset), prepared):
            for one in group.handled:
                if one.item < epoch.items:  # of a dataset that is kept, each different image once
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
