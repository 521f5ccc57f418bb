"""Every mode that is registered answers the same questions: a new one is asked them as soon as it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.modes import modes
from support.trials import Trials

from runner.config.options import Sequential
from runner.errors import TrialFailed, TrialKilled
from runner.record.trial import digest_of
from runner.trial.messages import Phase, Report
from runner.trial.supervisor import Event

MODES = modes()
WORKERS, ITEMS, EPOCHS = 2, 9, 2
FAILING = {1, 4, 7}  # of nine items the sample's second photograph, the flower


class Observer:
    """The processes of a trial, and where its own is; on entering ``phase`` it kills the one that ``victim`` picks of them."""

    def __init__(self, phase: str | None = None, victim: int = 0) -> None:
        self.trial: int | None = None
        self.processes: dict[int, psutil.Process] = {}
        self._phase, self._victim = phase, victim

    def __call__(self, event: Event) -> None:
        if not isinstance(event, Phase):
            return
        self.trial = event.pids[0]
        kill = event.name == self._phase
        if kill or event.name == "epoch":
            parent = psutil.Process(self.trial)
            self.processes |= {process.pid: process for process in (parent, *parent.children(recursive=True))}
        if kill:
            self._phase = None
            psutil.Process(event.pids[self._victim]).kill()

    def left(self) -> Sequence[psutil.Process]:
        """Those that still live some seconds after the trial."""
        _, alive = psutil.wait_procs(self.processes.values(), timeout=20)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def measured() -> dict[str, tuple[Report, Observer]]:
    return {}


@pytest.fixture
def report_of(trials: Trials, measured: dict[str, tuple[Report, Observer]]) -> Any:
    """The report of one trial of a mode, and what was seen of its processes; measured once for all questions."""

    def report_of(mode: Any) -> tuple[Report, Observer]:
        if mode.name not in measured:
            observer = Observer()
            report = trials.report(
                mode, workers=WORKERS, items=ITEMS, epochs=EPOCHS, warmup_epochs=1, on_event=observer,
                task=Fault("raise", on="flower"), task_module="support.faulty_task",
            )  # fmt: skip
            measured[mode.name] = report, observer
        return measured[mode.name]

    return report_of


@pytest.mark.parametrize("mode", MODES)
def test_every_item_is_handled_once_in_every_epoch_and_images_that_fail_do_not_stop_it(report_of: Any, mode: Any) -> None:
    report, _ = report_of(mode)
    assert len(report.epochs) == EPOCHS
    for epoch in report.epochs:
        records = list(epoch.records)
        assert sorted(record.item for record in records) == list(range(ITEMS))
        assert {record.item for record in records if not record.ok} == FAILING
        assert {epoch.records.errors[item] for item in FAILING} == {"ValueError: this image is not to my taste"}


@pytest.mark.parametrize("mode", MODES)
def test_the_results_are_those_of_sequential(report_of: Any, mode: Any) -> None:
    report, _ = report_of(mode)
    assert digest_of(report.verification) == digest_of(report_of(Sequential())[0].verification)


@pytest.mark.parametrize("mode", MODES)
def test_an_image_is_read_handled_and_put_in_this_order_between_the_release_and_the_end_of_its_epoch(
    report_of: Any, mode: Any
) -> None:
    report, _ = report_of(mode)
    assert min(report.startup_s, report.warmup_s, report.teardown_s) >= 0
    for epoch in report.epochs:
        for record in epoch.records:
            stamps = [epoch.released_ns, record.read_start, record.task_start, record.sink_start, record.end, epoch.finished_ns]
            assert stamps == sorted(stamps)


@pytest.mark.parametrize("mode", MODES)
def test_there_are_as_many_workers_and_processes_as_the_option_says(report_of: Any, mode: Any) -> None:
    report, observer = report_of(mode)
    processes = {worker.pid for worker in report.workers}
    if mode.processes(WORKERS):
        assert len(processes) == mode.processes(WORKERS)
        assert observer.trial not in processes
    else:
        assert processes == {observer.trial}
    records = [record for epoch in report.epochs for record in epoch.records]
    assert {record.worker for record in records} <= set(range(mode.effective_workers(WORKERS)))
    assert len({(record.worker, record.thread) for record in records}) <= mode.threads(WORKERS)


@pytest.mark.parametrize("mode", MODES)
def test_no_process_is_left_when_it_is_over(report_of: Any, mode: Any) -> None:
    _, observer = report_of(mode)
    assert len(observer.processes) > mode.processes(WORKERS)
    assert observer.left() == []


@pytest.mark.parametrize("mode", MODES)
def test_a_task_that_cannot_be_built_is_a_typed_failure_with_its_reason(trials: Trials, mode: Any) -> None:
    outcome = trials.outcome(mode, workers=WORKERS, task=Fault("raise_at_build"), task_module="support.faulty_task")
    assert isinstance(outcome.error, TrialFailed)
    assert "the task cannot be built" in str(outcome.error)


@pytest.mark.parametrize("victim", ["trial", "worker"])
@pytest.mark.parametrize("mode", MODES)
def test_a_process_that_is_killed_ends_the_trial_and_leaves_no_other(trials: Trials, mode: Any, victim: str) -> None:
    if victim == "worker" and not mode.processes(WORKERS):
        pytest.skip("its workers are threads of the trial")
    observer = Observer("epoch", 0 if victim == "trial" else -1)
    outcome = trials.outcome(
        mode, workers=WORKERS, task=Fault("hang"), task_module="support.faulty_task", on_event=observer, timeout_s=60
    )
    assert isinstance(outcome.error, TrialKilled), outcome.error
    assert observer.left() == []
