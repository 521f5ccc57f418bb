"""How results come back from worker processes, and how a great many items are handled in little memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.faulty_task import Fault
from support.made_records import good_trial
from support.paths import ROOT
from support.points import point
from support.shared_memory import left_in_shared_memory, shared_memory
from support.trials import Trials

from runner.analysis.warnings.settings import returned_otherwise
from runner.config.options import Math, Pillow, Process, ProcessPool, Python, Returns, StartMethod, Tensorflow, ThreadPool
from runner.config.registry import module_of
from runner.modes.workers.queues import run_length
from runner.modes.workers.returning import slot_bytes
from runner.modes.workers.shared_memory import SLOTS, Slots
from runner.pipeline.collector import BATCH, IN_MEMORY, Collector, unloading
from runner.pipeline.stamps import WIDTH, Records
from runner.record.epochs import epoch_record
from runner.record.trial import digest_of
from runner.trial.messages import Phase
from runner.trial.supervisor import Event

ONE_RESULT = 224 * 224 * 3 * 4


def nothing_is_left(before: set[str]) -> bool:
    """Names that other programs on this host use come and go; one that is left stays."""
    limit = time.monotonic() + 20
    while (new := shared_memory() - before) and time.monotonic() < limit:
        time.sleep(0.1)
    return not new


@pytest.mark.parametrize("returns", list(Returns))
@pytest.mark.parametrize(
    "mode", [Process(), ProcessPool(threads_per_worker=3), Process(start_method=StartMethod.spawn)],
    ids=["process", "process_pool-3-threads", "spawn"],
)  # fmt: skip
def test_results_come_back_as_they_were_sent_whatever_the_way(trials: Trials, mode: Any, returns: Returns) -> None:
    before = shared_memory()
    mode.returns = returns
    words = {"items": 20, "task": Pillow(), "task_module": module_of("task", "pillow")}
    report = trials.report(mode, workers=2, **words)
    assert digest_of(report.verification) == digest_of(trials.report(ThreadPool(), **words).verification)
    (epoch,) = report.epochs
    assert len(epoch.records) == 20
    expected = 0 if returns is Returns.digest else 20 * ONE_RESULT
    assert epoch.records.returned_bytes == expected
    record = epoch_record(epoch, 0.0)
    assert record["returned_bytes"] == expected
    assert record["returned_bytes_per_s"] == pytest.approx(expected / record["work_s"])
    assert len(report.verification.handed_over) == (0 if returns is Returns.digest else 3)
    assert left_in_shared_memory(before) == set()


def test_a_result_too_large_for_its_slot_comes_back_all_the_same(trials: Trials) -> None:
    task = Fault(does="huge")
    assert slot_bytes(task, trials._images) < 4_000_000
    report = trials.report(
        Process(returns=Returns.shared_memory), workers=1, items=3, task=task, task_module="support.faulty_task"
    )
    assert report.epochs[0].records.returned_bytes == 3 * 4_000_000
    assert report.backend == {"returned_by": {"pickle": 6, "shared_memory": 0}}


def test_a_point_whose_results_came_back_by_another_way_says_so(tmp_path: Path) -> None:
    subject = point(tmp_path / "point", mode=Process(returns=Returns.shared_memory))
    trial = good_trial(backend={"returned_by": {"pickle": 2, "shared_memory": 7}})
    found = returned_otherwise(subject.facts(), [trial])
    assert found is not None
    assert "2 of 9 results did not fit" in found.message
    trial["backend"] = {"returned_by": {"pickle": 0, "shared_memory": 9}}
    assert returned_otherwise(subject.facts(), [trial]) is None


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Tensorflow(), ONE_RESULT),
        (Tensorflow(channels=0), ONE_RESULT * 4 // 3),
        (Tensorflow(steps=["decode"], channels=1), 640 * 427),
        (Tensorflow(steps=["decode", "standardize"]), 640 * 427 * 3 * 4),
        (Pillow(size=64), 64 * 64 * 3 * 4),
        (Python(size=64), 64 * 64 * 3 * 4),
        (Math(size=4096), 4096 * 8),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_slot_has_room_for_the_largest_result(trials: Trials, task: Any, expected: int) -> None:
    images = [replace(trials._images[0], width=640, height=427), replace(trials._images[0], width=10, height=10)]
    assert slot_bytes(task, images) == expected


def test_whole_pictures_come_back_by_shared_memory(trials: Trials) -> None:
    report = trials.report(Process(returns=Returns.shared_memory), items=6, task=Tensorflow(steps=["decode"]))
    assert report.backend == {"returned_by": {"pickle": 0, "shared_memory": 9}}


def test_slots_are_not_in_the_file_system_of_64_mb_that_containers_have_for_shared_memory() -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere there is no such file system")
    slots = Slots(multiprocessing.get_context("fork"), 4096)
    slots.view(SLOTS - 1, (4096,), "u1")[:] = 7
    assert set(slots.view(SLOTS - 1, (4096,), "u1").tolist()) == {7}
    assert os.fstat(slots._memory._file.fileno()).st_dev != Path("/dev/shm").stat().st_dev
    slots.close()


def test_shared_memory_starts_no_process_that_keeps_track_of_it() -> None:
    script = """
import multiprocessing, psutil
from runner.modes.workers.shared_memory import Slots
slots = Slots(multiprocessing.get_context("fork"), 4096)
print([child.cmdline() for child in psutil.Process().children()])
slots.close()
"""
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert (answer.stdout, answer.stderr) == ("[]\n", "")


def test_a_result_that_arrives_damaged_fails_the_trial(trials: Trials) -> None:
    outcome = trials.outcome(
        Process(returns=Returns.pickle), items=2, task=Fault(does="lie"), task_module="support.faulty_task"
    )
    assert outcome.error is not None
    assert outcome.error.kind == "ReturnPath"


def test_a_killed_worker_leaves_no_shared_memory_behind(trials: Trials) -> None:
    before = shared_memory()
    task = Fault(does="segfault", on="flower")
    mode = Process(returns=Returns.shared_memory)
    outcome = trials.outcome(mode, items=6, task=task, task_module="support.faulty_task")
    assert outcome.error is not None
    assert left_in_shared_memory(before) == set()


@pytest.mark.parametrize("method", [StartMethod.auto, StartMethod.spawn], ids=["fork", "spawn"])
def test_a_worker_that_cannot_start_leaves_no_shared_memory_behind(trials: Trials, method: StartMethod) -> None:
    before = shared_memory()
    mode = Process(returns=Returns.shared_memory, start_method=method)
    outcome = trials.outcome(mode, task=Fault(does="raise_at_build"), task_module="support.faulty_task")
    assert "the task cannot be built" in str(outcome.error)
    assert nothing_is_left(before)


def test_a_killed_trial_leaves_no_shared_memory_behind(trials: Trials) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    before = shared_memory()

    def kill(event: Event) -> None:
        if isinstance(event, Phase) and event.name == "warmup":
            os.kill(event.pids[0], signal.SIGKILL)

    outcome = trials.outcome(Process(returns=Returns.shared_memory), items=2000, on_event=kill)
    assert outcome.error is not None
    assert outcome.error.status == "killed"
    assert left_in_shared_memory(before) == set()


def test_a_given_chunk_is_taken_at_once_until_the_end(trials: Trials) -> None:
    assert run_length(1000, 2, chunksize=7) == 7
    for mode in (ThreadPool(chunksize=5), ProcessPool(chunksize=5)):
        report = trials.report(mode, workers=2, items=12)
        by_worker: dict[int, int] = {}
        for record in report.epochs[0].records:
            by_worker.setdefault(record.item // 5, record.worker)
            assert by_worker[record.item // 5] == record.worker
        assert len(report.epochs[0].records) == 12


def test_more_records_than_belong_into_memory_go_to_a_file_and_come_back(tmp_path: Path) -> None:
    collector = Collector(str(tmp_path / "spool"))
    part = Records()
    count = 3 * IN_MEMORY + 7
    for item in unloading(range(count), part, collector.add):
        part.values.extend((item, *range(WIDTH - 2), 1))
    assert len(part) <= BATCH + 512
    records = collector.done([part])
    assert records.spooled is not None
    assert len(records.values) <= IN_MEMORY * WIDTH
    assert len(records) == count
    assert [record.item for record in records] == list(range(count))
    assert records.table()[:, 0].tolist() == list(range(count))
    assert records.table().shape == (count, WIDTH)


def test_two_epochs_in_one_file_do_not_mix(tmp_path: Path) -> None:
    tables = []
    for epoch in (1, 2):
        collector = Collector(str(tmp_path / "spool"))
        part = Records()
        part.values.extend((epoch,) * WIDTH * (IN_MEMORY + 1))
        tables.append(collector.done([part]))
    assert [set(records.table().ravel().tolist()) for records in tables] == [{1}, {2}]


@pytest.mark.parametrize("mode", [ThreadPool(), ProcessPool(), ProcessPool(threads_per_worker=2)], ids=["t", "p", "p2"])
def test_many_items_are_each_recorded_once_and_leave_no_file(trials: Trials, mode: Any, tmp_path: Path) -> None:
    count = 2 * IN_MEMORY + 1
    report = trials.report(
        mode,
        items=count,
        task=Fault(),
        task_module="support.faulty_task",
        spool=str(tmp_path / "spool"),
        source_module="support.nothing_source",
    )
    table = report.epochs[0].records.table()
    assert sorted(table[:, 0].tolist()) == list(range(count))
    assert report.epochs[0].records.spooled is not None
