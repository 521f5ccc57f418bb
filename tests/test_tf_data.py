"""The stages of mode=tf_data: each option does what it says, and results are those of every other mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.numbered_task import Noting, Numbered
from support.photos import photo
from support.trials import Trials

from runner.config.options import Emulated, Execution, Order, Pillow, Tensorflow, TfData, TfDataBatch, TfDataDefault, ThreadPool
from runner.config.options import TfDataCache as Kept
from runner.config.registry import module_of
from runner.errors import TrialFailed
from runner.pipeline.sources import Image
from runner.pipeline.sources.image import inspect
from runner.record.trial import digest_of
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event

SMALL = Tensorflow(size=32)
CACHES = [Kept.bytes, Kept.decoded, Kept.file]


def numbered(count: int = 12) -> dict[str, Any]:
    images = [Image(f"{number}", "jpeg", 1, 1, "") for number in range(count)]
    return {
        "images": images,
        "items": count,
        "source_module": "support.nothing_source",
        "source": "",
        "task_module": "support.numbered_task",
    }


def order(report: Report, epoch: int = 0) -> list[int]:
    return [record.item for record in report.epochs[epoch].records]


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Image]:
    """Six photographs of one size, in two formats; the third is damaged."""
    folder = tmp_path_factory.mktemp("alike")
    images = [inspect(photo(folder / name)) for name in ("a.jpg", "b.png", "c.jpg", "d.jpg", "e.jpg", "f.jpg")]
    damaged = Path(images[2].path)
    damaged.write_bytes(damaged.read_bytes()[:300])
    return [*images[:2], inspect(damaged), *images[3:]]


@pytest.fixture(scope="module")
def expected(supervisor: Any, alike: Sequence[Image], tmp_path_factory: pytest.TempPathFactory) -> dict[Any, str]:
    trials = Trials(supervisor, alike, tmp_path_factory.mktemp("expected") / "log")
    return {
        execution: digest_of(trials.report(ThreadPool(), task=replace(SMALL, execution=execution)).verification)
        for execution in Execution
    }


@pytest.mark.parametrize("deterministic", [False, True])
def test_results_come_in_the_order_of_the_source_where_that_is_asked_for(trials: Trials, deterministic: bool) -> None:
    report = trials.report(TfData(deterministic=deterministic), **numbered(), task=Numbered(slow=(0,), slow_s=1.0))
    assert (order(report) == sorted(order(report))) == deterministic


@pytest.mark.parametrize("execution", Execution)
@pytest.mark.parametrize(
    "mode",
    [
        TfData(batch=TfDataBatch.after, batch_size=4),
        TfData(batch=TfDataBatch.before, batch_size=4),
        TfData(batch=TfDataBatch.before, cache=Kept.decoded, prefetch=2),
        TfDataDefault(),
        TfDataDefault(batch=TfDataBatch.before, cache=Kept.decoded),
        *(TfData(cache=cache) for cache in CACHES),
    ],
    ids=lambda value: f"{value.batch.value}-{value.cache.value}-{value.name}" if isinstance(value, TfData) else value.value,
)
def test_results_are_those_of_other_modes_and_images_that_fail_are_told_apart(
    trials: Trials, alike: Sequence[Image], expected: dict[Any, str], mode: TfData, execution: Execution
) -> None:
    task, spool = replace(SMALL, execution=execution), str(Path(".records").absolute())
    report = trials.report(mode, items=12, epochs=2, images=alike, task=task, spool=spool)
    assert digest_of(report.verification) == expected[execution]
    for epoch in report.epochs:
        assert sorted(record.item for record in epoch.records) == list(range(12))
        assert epoch.records.failed() == {2, 8} == set(epoch.records.errors)
        for record in epoch.records:
            stamps = [epoch.released_ns, record.read_start, record.task_start, record.sink_start, record.end, epoch.finished_ns]
            assert stamps == sorted(stamps)


@pytest.mark.parametrize("cache", CACHES)
def test_what_is_in_the_cache_is_not_done_again(trials: Trials, tmp_path: Path, alike: Sequence[Image], cache: Kept) -> None:
    words: dict[str, Any] = {"items": 6, "images": [alike[0], alike[3]], "spool": str(tmp_path / ".records"), "task": SMALL}
    note = tmp_path / "note"
    counted = {"source_module": "support.counting_source", "source": str(note)}
    report = trials.report(TfData(cache=cache), epochs=3, **counted, **words)
    reads = [int(line) for line in note.read_text().split()]
    done = [sum(epoch.released_ns <= at <= epoch.finished_ns for at in reads) for epoch in report.epochs]
    assert done == [6, 0, 0]
    spans = [
        (record.task_start - record.read_start, record.sink_start - record.task_start) for record in report.epochs[2].records
    ]
    assert {read_ns for read_ns, _ in spans} == {0}
    assert all(task_ns > 0 for _, task_ns in spans) == (cache is Kept.bytes)


@pytest.mark.parametrize("cache", [Kept.bytes, Kept.decoded])
def test_results_of_a_task_that_is_not_tensorflows_are_kept_too(trials: Trials, cache: Kept) -> None:
    report = trials.report(
        TfData(cache=cache), items=6, epochs=2, task=Pillow(size=32), task_module=module_of("task", "pillow")
    )
    reads_ns, tasks_ns = (
        sum(later - earlier for earlier, later in spans)
        for spans in zip(
            *(((r.read_start, r.task_start), (r.task_start, r.sink_start)) for r in report.epochs[1].records), strict=True
        )
    )
    assert reads_ns == 0
    assert (tasks_ns > 0) == (cache is Kept.bytes)
    assert not report.epochs[1].records.failed()


def test_the_file_of_a_cache_is_beside_the_record_and_removed_with_the_trial(trials: Trials, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "verify":
            seen.append(sorted(path.name for path in tmp_path.glob(".records*")))

    trials.report(TfData(cache=Kept.file), task=SMALL, spool=str(tmp_path / ".records"), on_event=look)
    assert len(seen[0]) >= 2
    assert not list(tmp_path.glob(".records*"))


@pytest.mark.parametrize("cache", [Kept.none, Kept.bytes, Kept.decoded])
def test_images_are_mixed_by_the_seed_in_each_pass_anew_and_in_each_trial_alike(trials: Trials, cache: Kept) -> None:
    mode = TfData(shuffle=12, deterministic=True, cache=cache)
    words = {**numbered(), "task": Numbered(), "epochs": 3}
    first, again, other = (trials.report(mode, **words, seed=seed) for seed in (7, 7, 8))
    orders = [order(first, epoch) for epoch in range(3)]
    assert all(sorted(found) == list(range(12)) != found for found in orders)
    assert len({tuple(found) for found in orders}) == 3
    assert orders == [order(again, epoch) for epoch in range(3)]
    assert orders != [order(other, epoch) for epoch in range(3)]


@pytest.mark.parametrize(
    "mode",
    [TfData(batch=TfDataBatch.before), TfData(batch=TfDataBatch.after, cache=Kept.decoded), TfDataDefault(), TfData(shuffle=6)],
    ids=["before", "after", "default", "shuffle"],
)
def test_a_consumer_gets_batches_of_its_own_size_without_images_that_failed(
    trials: Trials, alike: Sequence[Image], mode: TfData
) -> None:
    taken = Order.arrival if mode.shuffle else Order.kept
    report = trials.report(
        mode, items=12, epochs=2, images=alike, task=SMALL, consumer=Emulated(batch=4, step_s="0.001", order=taken)
    )
    assert report.consumer is not None
    assert [list(steps.images) for steps in report.consumer.passes] == [[4, 4, 2]] * 2


def test_a_consumer_takes_the_same_bits_in_the_same_order_from_a_batch_before_the_map(
    trials: Trials, alike: Sequence[Image]
) -> None:
    modes = [ThreadPool(), TfData(batch=TfDataBatch.before), TfDataDefault(cache=Kept.decoded)]
    words: dict[str, Any] = {
        "items": 12,
        "epochs": 2,
        "images": alike,
        "task": SMALL,
        "consumer": Noting(batch=5, queue=1, whole=True),
    }
    outcomes = [trials.report(mode, **words).consumer.outcome for mode in modes]  # type: ignore[union-attr]
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_pictures_of_different_sizes_end_a_trial_that_batches_them(trials: Trials) -> None:
    outcome = trials.outcome(TfData(batch=TfDataBatch.after), items=6, task=Tensorflow(steps=["decode"]))
    assert isinstance(outcome.error, TrialFailed)
    assert outcome.error.kind == "RaggedResults"
    assert "mode.batch: results of a batch must be alike" in str(outcome.error)
