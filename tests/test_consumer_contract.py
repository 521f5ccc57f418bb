"""Every mode that is registered feeds a consumer: each result once, in the order that was asked for, without those that failed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psutil
import pytest
from support.modes import modes
from support.numbered_task import Noting, Numbered
from support.shared_memory import left_in_shared_memory, shared_memory
from support.trials import Trials

from runner.config.options import Order, StartMethod
from runner.config.registry import options
from runner.errors import TrialFailed, TrialKilled, TrialTimeout
from runner.pipeline.batches import Batching
from runner.pipeline.sources import Image
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event

MODES = modes()
IMAGES, FAILING = 23, (0, 5, 6, 7, 8, 22)
GOOD = [number for number in range(IMAGES) if number not in FAILING]


@pytest.fixture(scope="module")
def images() -> Sequence[Image]:
    return [Image(f"{number}", "jpeg", 1, 1, "") for number in range(IMAGES)]


def fed(trials: Trials, mode: Any, images: Sequence[Image], consumer: Noting, **task: Any) -> Report:
    return trials.report(mode, **_words(images, consumer, **task))


def _words(images: Sequence[Image], consumer: Noting, **task: Any) -> dict[str, Any]:
    return {
        "workers": 2, "items": IMAGES, "images": images, "source_module": "support.nothing_source", "source": "",
        "task": Numbered(**task), "task_module": "support.numbered_task", "consumer": consumer,
    }  # fmt: skip


def noted(report: Report) -> list[list[int]]:
    assert report.consumer is not None
    batches: list[list[int]] = report.consumer.outcome["noted"]
    return batches


@pytest.mark.parametrize("mode", MODES)
def test_each_result_comes_once_and_in_order_without_the_failed_ones(
    trials: Trials, mode: Any, images: Sequence[Image]
) -> None:
    before = shared_memory()
    report = fed(trials, mode, images, Noting(queue=1), failing=FAILING, slow=(1, 12), slow_s=0.05)
    assert noted(report) == [GOOD[start : start + 4] for start in range(0, len(GOOD), 4)]
    (epoch,) = report.epochs
    assert epoch.records.failed() == set(FAILING)
    assert left_in_shared_memory(before) == set()


@pytest.mark.parametrize("mode", MODES)
def test_each_result_comes_once_where_they_are_taken_as_they_come(trials: Trials, mode: Any, images: Sequence[Image]) -> None:
    report = fed(trials, mode, images, Noting(order=Order.arrival, queue=1, drop_remainder=True), failing=FAILING)
    batches = noted(report)
    assert [len(batch) for batch in batches] == [4] * (len(GOOD) // 4)
    taken = [number for batch in batches for number in batch]
    assert len(set(taken)) == len(taken)
    assert set(taken) <= set(GOOD)


@pytest.mark.parametrize("mode", MODES)
def test_a_consumer_that_raises_fails_the_trial_with_its_reason(trials: Trials, mode: Any, images: Sequence[Image]) -> None:
    outcome = trials.outcome(mode, **_words(images, Noting(batch=2, queue=1, fails_in=2)), timeout_s=60)
    assert isinstance(outcome.error, TrialFailed), outcome.error
    assert outcome.error.kind == "ConsumerFailed"
    assert "step 2 of the consumer: ValueError: this batch is not to my taste" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES)
def test_results_that_cannot_be_stacked_fail_the_trial_with_the_reason(
    trials: Trials, mode: Any, images: Sequence[Image]
) -> None:
    outcome = trials.outcome(mode, **_words(images, Noting(), odd=(6,)), timeout_s=60)
    assert isinstance(outcome.error, TrialFailed), outcome.error
    assert outcome.error.kind == "RaggedResults"
    assert "results of a batch must be alike" in str(outcome.error)


@pytest.mark.parametrize("mode", MODES)
def test_a_queue_that_nobody_empties_ends_at_the_deadline(trials: Trials, mode: Any, images: Sequence[Image]) -> None:
    deadline_s = 15 if mode.name in {"ray", "loky"} else 6
    outcome = trials.outcome(mode, **_words(images, Noting(batch=2, queue=1, hangs_in=1)), timeout_s=deadline_s)
    assert isinstance(outcome.error, TrialTimeout), outcome.error


@pytest.mark.parametrize("victim", ["trial", "worker"])
@pytest.mark.parametrize("mode", MODES)
def test_a_process_that_is_killed_while_a_consumer_is_fed_leaves_nothing(
    trials: Trials, mode: Any, images: Sequence[Image], victim: str
) -> None:
    if victim == "worker" and not mode.processes(2):
        pytest.skip("its workers are threads of the trial")
    before = shared_memory()
    processes: list[psutil.Process] = []

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            trial = psutil.Process(event.pids[0])
            processes.extend([trial, *trial.children(recursive=True)])
            psutil.Process(event.pids[0 if victim == "trial" else -1]).kill()

    words = _words(images, Noting(batch=2, queue=1), slow=tuple(range(IMAGES)), slow_s=0.5)
    outcome = trials.outcome(mode, **words, on_event=kill, timeout_s=60)
    assert isinstance(outcome.error, TrialKilled), outcome.error
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert left_in_shared_memory(before) == set()


@pytest.mark.parametrize("name", ["process", "process_pool"])
def test_results_are_brought_back_in_shared_memory_by_several_threads_of_spawned_workers(
    trials: Trials, images: Sequence[Image], name: str
) -> None:
    mode = options()["mode"][name](threads_per_worker=3, start_method=StartMethod.spawn)
    report = fed(trials, mode, images, Noting(queue=1), failing=FAILING, slow=(2, 9), slow_s=0.05)
    assert noted(report) == [GOOD[start : start + 4] for start in range(0, len(GOOD), 4)]
    assert report.backend["returned_by"]["pickle"] == 0


@pytest.mark.parametrize("name", ["thread_pool", "process_pool", "loky"])
def test_a_chunk_larger_than_all_batches_ahead_is_handled_all_the_same(
    trials: Trials, images: Sequence[Image], name: str
) -> None:
    report = fed(trials, options()["mode"][name](chunksize=10), images, Noting(batch=2, queue=1), failing=(3,))
    assert [number for batch in noted(report) for number in batch] == [number for number in range(IMAGES) if number != 3]


def test_results_on_their_way_are_no_more_than_the_queue_and_the_workers_hold(trials: Trials, images: Sequence[Image]) -> None:
    """The consumer is busy with its first batch for as long as workers need to run as far ahead as they are let."""
    consumer = Noting(batch=2, queue=1, step_s=0.2)
    report = fed(trials, options()["mode"]["thread"](), images, consumer)
    (epoch,) = report.epochs
    assert report.consumer is not None
    (steps,) = report.consumer.passes
    started = sorted(record.read_start for record in epoch.records)
    for number, taken in enumerate(steps.taken):
        in_time = sum(start < taken for start in started)
        assert in_time - 2 * number <= Batching(2, queue=1).window(2)
