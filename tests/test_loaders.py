"""The loaders of other libraries, beyond what every mode is asked: their batches, their processes, what TensorFlow does in these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.composing import composed
from support.faulty_task import Fault
from support.made_records import known
from support.modes import marks
from support.numbered_task import Noting, Numbered
from support.points import measured
from support.shared_memory import left_in_shared_memory, shared_memory
from support.trials import Trials

from runner.config.options import (
    FileFormat,
    Grain,
    Keras,
    Pillow,
    Protocol,
    RunIn,
    Spdl,
    Tensorflow,
    Thread,
    ToFile,
    Torch,
)
from runner.errors import ConfigurationError, TrialFailed, TrialKilled, TrialTimeout
from runner.modes.workers.loader_pass import Numbers
from runner.pipeline.sources import Image
from runner.pipeline.stamps import Records
from runner.record.trial import digest_of
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor

VARIANTS = {
    "torch-batches": Torch(batch_size=4),
    "torch-fresh": Torch(persistent_workers=False),
    "keras-batches": Keras(batch_size=4),
    "keras-processes": Keras(use_multiprocessing=True, batch_size=4),
    "grain-batches": Grain(batch_size=4),
    "grain-spawn": Grain(run_in=RunIn.processes),
    "spdl-processes": Spdl(run_in=RunIn.processes, batch_size=4),
}
IMAGES, FAILING = 11, (0, 5, 6)
GOOD = [number for number in range(IMAGES) if number not in FAILING]


def variant(name: str, *more: Any) -> Any:
    return pytest.param(VARIANTS[name], *more, id="-".join([name, *more]), marks=marks(VARIANTS[name]))


@pytest.fixture(scope="module")
def images() -> Sequence[Image]:
    return [Image(f"{number}", "jpeg", 1, 1, "") for number in range(IMAGES)]


def words(images: Sequence[Image], **task: Any) -> dict[str, Any]:
    return {
        "workers": 2, "items": IMAGES, "images": images, "source_module": "support.nothing_source", "source": "",
        "task": Numbered(**task), "task_module": "support.numbered_task",
    }  # fmt: skip


@pytest.fixture(scope="module")
def expected(supervisor: Supervisor, images: Sequence[Image], tmp_path_factory: pytest.TempPathFactory) -> str:
    """What threads make of the images."""
    trials = Trials(supervisor, images, tmp_path_factory.mktemp("expected") / "runner.log")
    return digest_of(trials.report(Thread(), **words(images, failing=FAILING)).verification)


class Family:
    """The processes of a trial when an epoch of it begins, one of which may be killed then."""

    def __init__(self, victim: int | None = None) -> None:
        self.processes: list[psutil.Process] = []
        self._victim = victim

    def __call__(self, event: Event) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            trial = psutil.Process(event.pids[0])
            self.processes += [trial, *trial.children(recursive=True)]
            if self._victim is not None:
                psutil.Process(event.pids[self._victim]).kill()

    def left(self) -> list[psutil.Process]:
        _, alive = psutil.wait_procs(self.processes, timeout=20)
        return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("mode", [variant(name) for name in VARIANTS])
def test_batches_and_processes_of_a_loader_bring_each_result_once_and_leave_nothing(
    trials: Trials, images: Sequence[Image], expected: str, mode: Any
) -> None:
    before, family = shared_memory(), Family()
    report = trials.report(mode, **words(images, failing=FAILING), consumer=Noting(batch=3, queue=1), epochs=2, on_event=family)
    assert report.consumer is not None
    assert report.consumer.outcome["noted"] == 2 * [GOOD[start : start + 3] for start in range(0, len(GOOD), 3)]
    for epoch in report.epochs:
        records = list(epoch.records)
        assert sorted(record.item for record in records) == list(range(IMAGES))
        assert epoch.records.failed() == set(FAILING)
        assert {record.worker for record in records} <= {0, 1}
        assert epoch.cpu_s > 0
        for record in records:
            stamps = [epoch.released_ns, record.read_start, record.task_start, record.sink_start, record.end, epoch.finished_ns]
            assert stamps == sorted(stamps)
    assert len({worker.pid for worker in report.workers}) == max(1, mode.processes(2))
    assert digest_of(report.verification) == expected
    assert family.left() == []
    assert left_in_shared_memory(before) == set()


@pytest.mark.parametrize("mode", [variant("torch-fresh"), variant("keras-processes")])
def test_the_memory_of_processes_that_are_started_in_each_pass_counts(
    trials: Trials, images: Sequence[Image], mode: Any
) -> None:
    """Between passes, when the trial reads its memory, there are none."""
    footprint = trials.report(mode, warmup_epochs=1, **words(images)).footprint
    assert footprint.processes >= 3  # the trial's own, and two workers


@pytest.mark.parametrize("mode", [variant("torch-fresh"), variant("keras-processes")])
def test_the_cpu_seconds_of_processes_that_are_started_in_each_epoch_count_in_it(
    trials: Trials, sample: Sequence[Image], mode: Any
) -> None:
    burning = {"task": Fault("burn", cpu_s=0.1), "task_module": "support.faulty_task"}
    report = trials.report(mode, workers=2, items=4, epochs=2, images=sample[:1], **burning)
    assert all(epoch.cpu_s >= 0.4 for epoch in report.epochs)
    assert report.backend["starts_workers_in_each_epoch"]


@pytest.mark.parametrize(
    ("mode", "victim"),
    [
        variant("grain-spawn", "trial"),
        variant("grain-spawn", "worker"),
        variant("spdl-processes", "worker"),
        variant("keras-processes", "trial"),
    ],
)
def test_a_killed_process_of_a_loader_ends_the_trial_and_leaves_nothing(
    trials: Trials, images: Sequence[Image], mode: Any, victim: str
) -> None:
    before, family = shared_memory(), Family(0 if victim == "trial" else -1)
    slow = {"slow": tuple(range(IMAGES)), "slow_s": 0.5}
    outcome = trials.outcome(mode, **words(images, **slow), on_event=family)
    assert isinstance(outcome.error, TrialKilled), outcome.error
    assert family.left() == []
    assert left_in_shared_memory(before) == set()


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, id=mode.name, marks=marks(mode)) for mode in (Torch(), Keras(), Grain(), Spdl())]
)
def test_a_task_of_tensorflow_gives_the_result_that_threads_give(trials: Trials, mode: Any) -> None:
    task = Tensorflow(size=32)
    expected = trials.report(Thread(), task=task, items=3).verification
    assert digest_of(trials.report(mode, task=task, items=3).verification) == digest_of(expected)


@pytest.mark.parametrize("mode", [variant("torch-batches"), variant("keras-processes"), variant("grain-batches")])
def test_what_workers_of_a_loader_send_to_a_sink_arrives(tmp_path: Path, supervisor: Supervisor, mode: Any) -> None:
    sink, task = ToFile(format=FileFormat.tfrecord), Pillow(size=16)
    protocol = Protocol(rounds=1, epochs=2, warmup_epochs=1, timeout_s=240)
    (trial,) = measured(tmp_path, supervisor, mode=mode, task=task, sink=sink, protocol=protocol).trials
    assert trial["error"] is None
    assert known(trial["sink"])["received"] == known(trial["sink"])["sent"] == 18


def test_a_pool_that_keras_forks_beside_a_tensorflow_that_runs_hangs_until_the_deadline_and_leaves_no_process(
    trials: Trials,
) -> None:
    family = Family()
    outcome = trials.outcome(VARIANTS["keras-processes"], items=4, limits=(2, 2), on_event=family, timeout_s=15)
    assert isinstance(outcome.error, TrialTimeout), outcome.error
    assert family.left() == []


@pytest.mark.parametrize("mode", [variant("torch-batches"), variant("keras-batches")])
def test_results_that_do_not_fit_into_a_batch_of_the_loader_fail_the_trial_with_the_reason(
    trials: Trials, images: Sequence[Image], mode: Any
) -> None:
    outcome = trials.outcome(mode, **words(images, odd=(6,)))
    assert isinstance(outcome.error, TrialFailed)
    assert outcome.error.kind == "RaggedResults"
    assert "mode.batch_size: results of a batch must be alike" in str(outcome.error)
    assert "int32 of shape (2, 2) and int32 of shape (2, 3)" in str(outcome.error)


@pytest.mark.parametrize(("mode", "title"), [("torch", "PyTorch"), ("grain", "Grain"), ("spdl", "SPDL")])
def test_without_its_package_a_loader_is_refused_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, mode: str, title: str
) -> None:
    monkeypatch.setattr("runner.config.options.modes.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as refused:
        composed(f"mode={mode}")
    assert str(refused.value) == (
        f"mode={mode}: needs {title}, which is not installed\n"
        f"  accepted: an environment with the extra {mode}: pip install 'image-pipeline-runner[{mode}]'"
    )


@pytest.mark.parametrize(("method", "refused"), [("fork", True), ("spawn", False)])
def test_workers_that_would_be_forked_beside_a_consumers_tensorflow_are_refused(
    monkeypatch: pytest.MonkeyPatch, method: str, refused: bool
) -> None:
    words = ("mode=torch", "mode.persistent_workers=false", f"mode.multiprocessing_context={method}", "consumer=keras")
    monkeypatch.setattr("runner.config.options.modes.find_spec", lambda _: True)
    if refused:
        with pytest.raises(ConfigurationError, match="would fork workers in each epoch"):
            composed(*words)
    else:
        composed(*words)


def test_workers_are_numbered_as_they_are_first_seen_and_never_beyond_their_count() -> None:
    numbers, records = Numbers(2), Records()
    for pid in (7000, 9, 7000, 12):
        records.values.extend((0, pid, 0, 0, 0, 0, 0, 1))
    numbers.put_into(records)
    assert [record.worker for record in records] == [0, 1, 0, 0]
