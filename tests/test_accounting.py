"""CPU seconds and memory of a trial's tree, each counted once."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.trials import Trials

from runner.config.options import (
    Process,
    ProcessPool,
    Sequential,
    StartMethod,
    Thread,
)


@pytest.mark.parametrize(
    "mode", [Sequential(), Thread(), Process(), ProcessPool(threads_per_worker=2)], ids=lambda mode: mode.name
)
def test_cpu_seconds_are_those_that_were_burnt(trials: Trials, mode: object) -> None:
    """Each image burns 30 ms of CPU, by the kernel's clock for the thread that burns it, in whatever process."""
    burn = Fault("burn", cpu_s=0.03)
    report = trials.report(mode, workers=3, items=30, task=burn, task_module="support.faulty_task")
    burnt = 30 * 0.03
    assert burnt <= report.epochs[0].cpu_s < burnt * 1.15


@pytest.mark.parametrize("method", list(StartMethod), ids=lambda method: method.value)
def test_cpu_seconds_of_the_tree_agree_with_what_the_kernel_tells_others(trials: Trials, method: StartMethod) -> None:
    """Asked from outside, of another interface, while the trial pauses: /proc counts a process and its ended children."""
    seen: dict[str, float] = {}

    def look(event: Any) -> None:
        if getattr(event, "name", "") in {"startup", "end"}:
            times = psutil.Process(event.pids[0]).cpu_times()
            seen[event.name] = times.user + times.system + times.children_user + times.children_system

    burn = Fault("burn", cpu_s=0.05)
    mode = Process(start_method=method)
    outcome = trials.outcome(mode, items=30, task=burn, task_module="support.faulty_task", on_event=look)
    assert outcome.report is not None
    border = {phase.name: phase.usage for phase in outcome.phases}
    ours = (border["end"] - border["startup"]).cpu_s
    assert ours is not None
    assert ours > 30 * 0.05
    assert ours == pytest.approx(seen["end"] - seen["startup"], rel=0.01, abs=0.05)  # a tick is 10 ms, and four are added


def test_memory_counts_shared_pages_once(trials: Trials) -> None:
    """Eight forked workers share TensorFlow's pages; their sum of RSS would count them eight times."""
    rss: list[int] = []

    def look(event: Any) -> None:
        pids = getattr(event, "pids", ())
        if getattr(event, "name", "") == "warmup":
            rss.append(sum(psutil.Process(pid).memory_info().rss for pid in pids))

    outcome = trials.outcome(Process(), workers=8, on_event=look)
    assert outcome.report is not None
    assert outcome.report.footprint.memory_method == "pss"
    assert 250e6 < (outcome.report.footprint.memory_bytes or 0) < rss[0] / 2


def test_a_fork_server_of_the_trials_own_is_counted(trials: Trials) -> None:
    """What the trial tells of is its whole tree, as the system has it."""
    trees: list[tuple[set[int], set[int]]] = []

    def look(event: Any) -> None:
        if getattr(event, "name", "") == "warmup":
            below = psutil.Process(event.pids[0]).children(recursive=True)
            trees.append((set(event.pids), {event.pids[0], *(process.pid for process in below)}))

    outcome = trials.outcome(Process(start_method=StartMethod.forkserver), on_event=look)
    assert outcome.report is not None
    ((told, there),) = trees
    assert told == there
    assert outcome.report.footprint.processes == len(there) >= 4
