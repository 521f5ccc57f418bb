"""What was used: CPU seconds, bytes and memory of each phase, exact and counted once."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support.faulty_task import Fault
from support.monitor import name
from support.trials import Trials

from runner.config.options import Loky, Process, ProcessPool, Sequential, StartMethod, Thread
from runner.host.usage import Usage, own_usage, total, usage_of
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

MODES = [Sequential(), Thread(), Process(), ProcessPool(threads_per_worker=2), Process(start_method=StartMethod.forkserver)]


@pytest.mark.parametrize("mode", MODES, ids=name)
def test_the_books_agree_with_what_wait4_tells_the_parent(trials: Trials, mode: Any) -> None:
    """A spawned trial is our own child: the kernel adds it, with all its workers, to our books when we have waited for it.

    It is killed at its last border, because what it uses to leave (a second, with TensorFlow) comes after what it tells.
    """
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    burn = Fault("burn", cpu_s=0.04)

    def kill_at_the_end(event: object) -> None:
        if isinstance(event, Phase) and event.name == "end":
            os.kill(event.pids[0], signal.SIGKILL)

    spawning = Supervisor("spawn")
    outcome = trials.outcome(
        mode, items=100, task=burn, task_module="support.faulty_task", supervisor=spawning, on_event=kill_at_the_end
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert [phase.name for phase in outcome.phases][-1] == "end"
    told = outcome.phases[-1].usage  # since the trial's process began
    theirs = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert told.cpu_s == pytest.approx(theirs, rel=0.01)
    assert theirs > 4.0
    assert told.minor_faults == pytest.approx(after.ru_minflt - before.ru_minflt, rel=0.02)
    assert told.voluntary_switches == pytest.approx(after.ru_nvcsw - before.ru_nvcsw, rel=0.05, abs=100)


@pytest.mark.parametrize("mode", [*MODES, Loky()], ids=name)
def test_each_phase_has_what_was_used_in_it(trials: Trials, mode: Any) -> None:
    burn = Fault("burn", cpu_s=0.02)
    outcome = trials.outcome(mode, items=30, epochs=2, warmup_epochs=1, task=burn, task_module="support.faulty_task")
    assert outcome.report is not None
    usages: list[tuple[str, Any]] = [
        (phase.name, after.usage - phase.usage) for phase, after in zip(outcome.phases, outcome.phases[1:], strict=False)
    ]
    assert [phase for phase, _ in usages] == [
        "import", "startup", "pause", "warmup", "epoch", "epoch", "pause", "verify", "teardown",
    ]  # fmt: skip
    for phase, usage in usages:
        burnt = {"warmup": 30, "epoch": 30, "verify": 3}.get(phase, 0) * 0.02
        assert usage.cpu_s >= burnt - 0.011  # a tick of rounding, where a fork server is read from outside
        if burnt:
            assert usage.cpu_s < burnt * 1.5 + 0.2  # not twice
        assert all(value is not None and value >= -0.011 for value in usage.record().values()), (phase, usage)
    whole = outcome.phases[-1].usage - outcome.phases[0].usage
    assert total(usage for _, usage in usages).cpu_s == pytest.approx(whole.cpu_s)


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=name)
def test_bytes_that_an_epoch_reads_are_those_of_its_images(trials: Trials, mode: Any) -> None:
    report = trials.report(mode, items=30, task=Fault(), task_module="support.faulty_task")
    sizes = [Path(image.path).stat().st_size for image in trials._images]
    expected = sum(sizes[item % len(sizes)] for item in range(30))
    assert expected <= (report.epochs[0].usage.read_bytes or 0) < expected + 60_000  # messages, and the books themselves


def test_what_ended_within_an_epoch_is_counted(trials: Trials) -> None:
    """A task may start programs of its own; they are gone before anybody could look at their clocks."""
    report = trials.report(Process(), items=6, task=Fault("fork_and_burn", cpu_s=0.1), task_module="support.faulty_task")
    assert 0.6 <= report.epochs[0].cpu_s < 0.6 * 1.3


def test_another_process_is_read_as_it_reads_itself() -> None:
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    mine: Any = own_usage()
    seen: Any = usage_of(os.getpid())
    assert seen.cpu_s == pytest.approx(mine.cpu_s, abs=0.05)
    assert seen.minor_faults == pytest.approx(mine.minor_faults, rel=0.01, abs=100)
    assert seen.read_bytes >= mine.read_bytes


def test_what_one_of_them_does_not_know_the_sum_does_not_know() -> None:
    known, unknown = Usage(cpu_user_s=1.0, read_bytes=5), Usage(cpu_user_s=2.0, read_bytes=None)
    assert (known + unknown).cpu_user_s == 3.0
    assert (known + unknown).read_bytes is None
    assert (known + known - known).read_bytes == 5
    assert Usage(cpu_user_s=None).cpu_s is None
