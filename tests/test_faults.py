"""What dies, hangs or raises gives a typed status, and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.program import Program, processes_of
from support.shared_memory import left_in_shared_memory, shared_memory
from support.trials import Trials
from support.watching import Watching

from runner.config.options import Process, ProcessPool, Sequential, StartMethod, Thread, ThreadPool
from runner.errors import TrialFailed, TrialKilled, TrialTimeout
from runner.host.usage import Usage
from runner.trial.messages import Phase
from runner.trial.supervisor import Outcome, _Deadline, _until_report

MODES = [Sequential(), Thread(), ThreadPool(), Process(), ProcessPool(), Process(threads_per_worker=2)]
PROCESS_MODES = [
    Process(),
    ProcessPool(),
    Process(start_method=StartMethod.forkserver),
    Process(start_method=StartMethod.spawn),
]


def name(mode: Any) -> str:
    return f"{mode.name}-{getattr(getattr(mode, 'start_method', None), 'value', '')}".rstrip("-")


def faulty(trials: Trials, mode: Any, fault: Fault, **arguments: Any) -> tuple[Outcome, Watching]:
    watching = arguments.pop("watching", None) or Watching()
    before = shared_memory()
    outcome = trials.outcome(mode, on_event=watching, task=fault, task_module="support.faulty_task", **arguments)
    assert watching.alive() == []
    assert left_in_shared_memory(before) == set()
    return outcome, watching


def is_still_fine(trials: Trials) -> bool:
    return trials.outcome(Thread()).error is None


@pytest.mark.parametrize("mode", MODES, ids=name)
@pytest.mark.parametrize(("does", "status", "says"), [("exit", "failed", "status 7"), ("segfault", "killed", "SIGSEGV")])
def test_a_process_that_dies_in_the_work_gives_a_typed_status(
    trials: Trials, mode: Any, does: str, status: str, says: str
) -> None:
    outcome, _ = faulty(trials, mode, Fault(does, on="flower"))
    assert outcome.report is None
    assert outcome.error is not None
    assert outcome.error.status == status
    assert says in str(outcome.error)
    assert is_still_fine(trials)


@pytest.mark.parametrize("mode", MODES, ids=name)
def test_work_that_hangs_is_ended_by_the_deadline(trials: Trials, mode: Any) -> None:
    outcome, _ = faulty(trials, mode, Fault("hang", on="flower"), timeout_s=3)
    assert isinstance(outcome.error, TrialTimeout)
    assert "phase 'epoch'" in str(outcome.error)
    assert is_still_fine(trials)


@pytest.mark.parametrize("mode", [Thread(), *PROCESS_MODES], ids=name)
def test_a_task_that_cannot_be_built_is_reported_with_its_traceback(trials: Trials, mode: Any) -> None:
    outcome, _ = faulty(trials, mode, Fault("raise_at_build"))
    assert isinstance(outcome.error, TrialFailed)
    assert outcome.error.kind == "RuntimeError"
    assert "the task cannot be built" in str(outcome.error)
    assert "faulty_task.py" in (outcome.error.remote_traceback or "")


@pytest.mark.parametrize("mode", PROCESS_MODES, ids=name)
def test_a_worker_that_is_killed_from_outside_ends_the_trial(trials: Trials, mode: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    watching = Watching("epoch", lambda pids: os.kill(pids[-1], signal.SIGKILL))
    outcome, _ = faulty(trials, mode, Fault("hang"), watching=watching, timeout_s=60)
    assert isinstance(outcome.error, TrialKilled)
    assert "SIGKILL" in str(outcome.error)
    assert "worker" in str(outcome.error)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [Process, ProcessPool])
def test_workers_whose_fork_server_is_killed_end_the_trial_which_is_tried_again_when_resumed(trials: Trials, mode: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    watching = Watching("epoch", lambda pids: os.kill(psutil.Process(pids[-1]).ppid(), signal.SIGKILL))
    outcome, _ = faulty(trials, mode(start_method=StartMethod.forkserver), Fault("hang"), watching=watching, timeout_s=120)
    assert isinstance(outcome.error, TrialFailed)
    assert outcome.error.kind == "ForkServerEnded"
    assert "the fork server of the workers was ended" in str(outcome.error)


@pytest.mark.parametrize("mode", [Thread(), *PROCESS_MODES], ids=name)
def test_a_trial_that_is_killed_from_outside_takes_its_workers_with_it(trials: Trials, mode: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    watching = Watching("epoch", lambda pids: os.kill(pids[0], signal.SIGKILL))
    outcome, _ = faulty(trials, mode, Fault("hang"), watching=watching, timeout_s=60)
    assert isinstance(outcome.error, TrialKilled)
    assert "the trial" in str(outcome.error)
    assert "SIGKILL" in str(outcome.error)


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=name)
def test_a_trial_that_has_been_stopped_is_ended_at_the_deadline(trials: Trials, mode: Any) -> None:
    """A stopped process answers nothing but SIGKILL: the hardest hang there is."""

    if sys.platform == "win32":
        pytest.skip("POSIX only")

    def stop(pids: Sequence[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

    watching = Watching("pause", stop)
    outcome, _ = faulty(trials, mode, Fault(), watching=watching, timeout_s=3)
    assert isinstance(outcome.error, TrialTimeout)


def test_a_worker_that_hangs_while_it_starts_is_ended_at_the_deadline(trials: Trials) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    watching = Watching("startup", lambda pids: os.kill(pids[0], signal.SIGSTOP))
    outcome, _ = faulty(trials, Process(start_method=StartMethod.spawn), Fault(), watching=watching, timeout_s=3)
    assert isinstance(outcome.error, TrialTimeout)


def half_a_message(connection: Connection) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    os.setsid()
    connection.send(Phase("import", 0, (os.getpid(),), Usage()))
    connection.recv()
    os.write(connection.fileno(), struct.pack("!i", 1_000_000) + b"the rest of the million bytes never comes")
    time.sleep(3600)


def test_a_trial_that_stops_in_the_middle_of_a_message_is_ended_at_the_deadline() -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=half_a_message, args=(there,))
    process.start()
    there.close()
    with pytest.raises(TrialTimeout, match="after 1 s"):
        _until_report(process, here, _Deadline(process, 1.0, 60.0), lambda _: None, [])
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
    here.close()


def test_images_that_fail_are_counted_and_do_not_stop_the_epoch(trials: Trials) -> None:
    for mode in (Thread(), ProcessPool()):
        report = trials.report(mode, items=6, task=Fault("raise", on="flower"), task_module="support.faulty_task")
        records = report.epochs[0].records
        assert len(records) == 6
        assert {record.item for record in records if not record.ok} == set(records.errors) == {1, 4}
        assert records.errors[1] == "ValueError: this image is not to my taste"


@pytest.mark.parametrize("mode", ["sequential", "thread", "process", "process mode.start_method=spawn"])
@pytest.mark.parametrize("moment", ["worker-0", "epoch"])
def test_nothing_is_left_when_the_conductor_is_killed(program: Program, marker: str, mode: str, moment: str) -> None:
    """SIGKILL to the program itself: nobody is left who could tidy up, so everybody must see it."""
    words = [
        f"mode={mode.split(maxsplit=1)[0]}",
        *mode.split()[1:],
        "workers=3",
        "task=pillow",
        "protocol=once",
        "images=100000",
        "tracking=none",
    ]
    conductor = program.started(marker, *words)
    try:
        limit = time.monotonic() + 120
        wanted = 7 if "process" in mode else 4  # conductor, resource tracker, fork server, trial, and workers
        while len(processes_of(marker)) < wanted or not list(program.folder.rglob("runner.log")):
            assert time.monotonic() < limit, "the trial did not start"
            assert conductor.poll() is None
            time.sleep(0.05)
        time.sleep(0.0 if moment == "worker-0" else 1.0)
    finally:
        conductor.kill()
        conductor.wait()
    limit = time.monotonic() + 20
    while left := processes_of(marker):
        assert time.monotonic() < limit, f"still there: {[(process.pid, process.cmdline()) for process in left]}"
        time.sleep(0.05)


def test_an_interrupt_ends_the_trial_and_exits_with_130(program: Program, marker: str) -> None:
    words = ["mode=process", "workers=2", "protocol=once", "images=20000", "tracking=none", *program.slow_words()]
    conductor = subprocess.Popen(
        program.command(*words), cwd=program.folder, env=os.environ | {"TEST_MARKER": marker},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    limit = time.monotonic() + 120
    while len(processes_of(marker)) < 5:
        assert time.monotonic() < limit
        time.sleep(0.05)
    conductor.send_signal(signal.SIGINT)
    _, stderr = conductor.communicate(timeout=60)
    assert conductor.returncode == 130, stderr
    assert b"Traceback" not in stderr
    assert processes_of(marker) == []
