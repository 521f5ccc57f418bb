"""The backends that are other people's: TensorFlow's own pipeline, asyncio, loky, Ray. Each takes every source and every task."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from support.faulty_task import Fault
from support.photos import photo, png_bomb
from support.trials import Trials

from runner.config.options import Asyncio, Execution, Loky, Parallelism, Ray, Tensorflow, TfData, ThreadPool
from runner.modes.tf_data.worker_lanes import WorkerLanes
from runner.pipeline.sources.image import inspect
from runner.record.trial import digest_of

BACKENDS = [TfData(), TfData(parallelism=Parallelism.autotune), Asyncio(), Loky(), Ray()]


def label(mode: Any) -> str:
    return f"{mode.name}-autotune" if getattr(mode, "parallelism", None) is Parallelism.autotune else str(mode.name)


@pytest.mark.parametrize(
    ("mode", "execution"),
    [  # the workers of loky and Ray import TensorFlow themselves: once says it for both
        *itertools.product([mode for mode in BACKENDS if not mode.processes(2)], Execution),
        *((mode, Execution.graph) for mode in BACKENDS if mode.processes(2)),
    ],
    ids=label,
)
def test_images_that_fail_are_told_apart_and_the_others_go_on(
    trials: Trials, tmp_path: Path, mode: Any, execution: Execution
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo(tmp_path / "whole.jpg").read_bytes()[:400])
    paths = [photo(tmp_path / "a.jpg"), bad, photo(tmp_path / "b.png"), png_bomb(tmp_path / "c.png"), photo(tmp_path / "d.jpg")]
    images = [inspect(path) for path in paths]
    words = {"workers": 2, "items": 10, "images": images, "task": Tensorflow(size=32, execution=execution)}
    report = trials.report(mode, **words)
    (epoch,) = report.epochs
    assert sorted(record.item for record in epoch.records) == list(range(10))
    assert {record.item for record in epoch.records if not record.ok} == {1, 3, 6, 8} == set(epoch.records.errors)
    assert "absurd" in epoch.records.errors[3]
    assert epoch.records.errors[1].split(":")[0].endswith("Error")
    assert digest_of(report.verification) == digest_of(trials.report(ThreadPool(), **words).verification)


@pytest.mark.parametrize("mode", BACKENDS, ids=label)
def test_a_task_that_is_not_tensorflows_is_taken_too(trials: Trials, mode: Any) -> None:
    task = Fault(does="raise", on="flower")
    report = trials.report(mode, workers=2, items=9, task=task, task_module="support.faulty_task")
    (epoch,) = report.epochs
    assert len(epoch.records) == 9
    failed = {record.item for record in epoch.records if not record.ok}
    assert failed == {1, 4, 7}
    assert {epoch.records.errors[item] for item in failed} == {"ValueError: this image is not to my taste"}


@pytest.mark.parametrize("mode", [TfData(), Asyncio()], ids=label)
def test_no_two_images_of_a_worker_overlap_by_more_than_clocks_differ(trials: Trials, mode: Any) -> None:
    report = trials.report(mode, workers=3, items=30, epochs=1)
    records = sorted(report.epochs[0].records, key=lambda record: record.read_start)
    assert {record.worker for record in records} <= {0, 1, 2}
    for worker in range(3):
        mine = [record for record in records if record.worker == worker]
        assert all(second.read_start - first.sink_start > -1_000_000 for first, second in itertools.pairwise(mine))


def test_lanes_are_given_in_the_order_in_which_they_are_free() -> None:
    lanes = WorkerLanes(2)
    assert [lanes.of(*span) for span in ((0, 10), (5, 12), (10, 20), (12, 22), (21, 30))] == [0, 1, 0, 1, 0]
    assert lanes.of(0, 40) == 1  # none was free: the one that was next


def test_lanes_that_have_long_been_free_are_left_for_images_that_were_started_earlier_and_come_later() -> None:
    lanes = WorkerLanes(2)
    assert [lanes.of(*span) for span in ((0, 5), (3, 10), (10, 20), (7, 22))] == [0, 1, 1, 0]


@pytest.mark.parametrize("seed", range(20))
def test_no_two_images_of_a_lane_overlap_in_whatever_order_they_are_taken(seed: int) -> None:
    chance = random.Random(seed)
    workers, free_at = 4, [0] * 4
    waiting: list[Any] = []
    taken: list[Any] = []
    # Each image starts on a worker whose last one has been taken; of those that are done, any may be taken first.
    for _ in range(300):
        worker = chance.choice([worker for worker in range(workers) if all(busy != worker for busy, _ in waiting)])
        start = free_at[worker] + chance.randrange(5)
        waiting.append((worker, (start, start + chance.randrange(1, 50))))
        if len(waiting) == workers:
            first = min(waiting, key=lambda image: image[1][1])
            done = [image for image in waiting if image[1][0] < first[1][1]]
            image = chance.choice(done)
            waiting.remove(image)
            taken.append(image[1])
            free_at[image[0]] = max(image[1][1], first[1][1])
    lanes, ends = WorkerLanes(workers), [0] * workers
    for start, end in taken:
        lane = lanes.of(start, end)
        assert ends[lane] <= start
        ends[lane] = end


def test_the_record_says_what_autotuning_chose(trials: Trials) -> None:
    plain = trials.report(TfData(), workers=3, items=30).backend
    assert plain == {"private_threadpool_size": 3, "num_parallel_calls": 3, "prefetch": 0, "in_graph": True}
    tuned = trials.report(TfData(parallelism=Parallelism.autotune, prefetch=-1), workers=3, items=60).backend
    assert 1 <= tuned["num_parallel_calls"] <= 64
    assert tuned["prefetch"] >= 0
    called = trials.report(TfData(), items=4, task=Fault(), task_module="support.faulty_task").backend
    assert not called["in_graph"]


@pytest.mark.parametrize(("module", "asynchronous"), [("support.slow_source", False), ("support.async_slow_source", True)])
def test_as_many_reads_are_on_their_way_as_there_are_workers(
    trials: Trials, tmp_path: Path, module: str, asynchronous: bool
) -> None:
    note = tmp_path / "note"
    report = trials.report(Asyncio(decode_threads=2), workers=8, items=24, source_module=module, source=str(note))
    assert note.read_text() == "8"
    assert note.with_suffix(".async").exists() == asynchronous
    assert len(report.epochs[0].records) == 24


@pytest.mark.parametrize("module", ["support.slow_source", "support.async_slow_source"])
def test_tf_data_reads_as_many_at_the_same_time_as_it_has_workers(trials: Trials, tmp_path: Path, module: str) -> None:
    note = tmp_path / "note"
    trials.report(TfData(), workers=8, items=24, source_module=module, source=str(note))
    assert note.read_text() == "8"


def test_a_worker_of_loky_that_grows_is_not_replaced(trials: Trials) -> None:
    """The executor's own way is to end it in the middle of an epoch and to start another."""
    report = trials.report(Loky(), workers=2, items=12, task=Fault("grow"), task_module="support.faulty_task")
    assert sum(record.ok for record in report.epochs[0].records) == 12
    assert report.backend == {"replaces_workers_that_grow": False}


def test_to_make_the_pipeline_of_tf_data_is_a_part_of_the_start_up(trials: Trials) -> None:
    outcome = trials.outcome(TfData(), task=Fault("raise_in_graph"), task_module="support.faulty_task")
    assert "there is no graph of this" in str(outcome.error)
    assert outcome.phases[-1].name == "startup"


def test_reasons_of_failures_are_looked_for_when_the_epoch_is_over(trials: Trials, tmp_path: Path) -> None:
    """In a graph an error has no words of ours; to hear them, the image is read once more."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(photo(tmp_path / "whole.jpg").read_bytes()[:400])
    note = tmp_path / "note"
    words = {
        "source_module": "support.counting_source",
        "source": str(note),
        "images": [inspect(bad), inspect(photo(tmp_path / "a.jpg"))],
    }
    report = trials.report(TfData(), workers=2, items=8, **words)
    (epoch,) = report.epochs
    assert sum(not record.ok for record in epoch.records) == 4
    reads = [int(line) for line in note.read_text().split()]
    assert sum(epoch.released_ns <= at <= epoch.finished_ns for at in reads) == 8
    assert all(record.end <= epoch.finished_ns for record in epoch.records)
