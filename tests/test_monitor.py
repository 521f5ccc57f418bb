"""Samples from outside: before, during and after, gaps, what they cost."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.made_records import ended, known
from support.points import Silent, point
from support.trials import Trials

from runner.config.options import Monitor, Process, Protocol, StartMethod, Thread
from runner.host.gpu import Gpus
from runner.monitor.sampler import Sampler
from runner.monitor.tree import Pacing, Tree
from runner.record.gil import gil_record
from runner.sweeps.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor


def test_a_trial_of_a_fraction_of_a_second_has_a_before_a_during_and_an_after(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = point(tmp_path / "point", mode=Process(), protocol=Protocol(rounds=1, epochs=1, warmup_epochs=0))
    Session([subject], 0, Silent(), supervisor).run()
    samples = subject.series[0].samples
    phases = [sample.phase for sample in samples]
    assert (phases[0], phases[-1]) == ("before", "after")
    during: list[Any] = [sample for sample in samples if sample.phase == "epoch"]
    assert during
    assert during[-1].cpu_pct > 0
    assert during[-1].processes == 3
    assert during[-1].threads >= 3
    assert during[-1].rss_bytes > 100e6
    assert [sample.at_ns for sample in samples] == sorted(sample.at_ns for sample in samples)


def test_workers_that_are_still_starting_are_seen(trials: Trials) -> None:
    """Long before the trial tells of its workers, the samples count them."""
    sampler = Sampler(Monitor(interval_s=0.02, cost_limit_pct=50), Gpus())
    sampler.start()

    def hear(event: object) -> None:
        if isinstance(event, Phase):
            sampler.on_phase(event.name, event.pids)

    trials.outcome(Process(start_method=StartMethod.spawn), workers=2, on_event=hear)
    watched = sampler.stop()
    starting = [sample.processes for sample in watched.taken if sample.phase == "startup" and sample.processes]
    assert max(starting[:-1]) >= 3


def test_a_sample_is_of_the_moment_in_which_the_clocks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """To search the system for more processes takes milliseconds, in which CPU seconds are used."""
    sampler = Sampler(Monitor(cost_limit_pct=100), Gpus())
    found: list[int] = []
    monkeypatch.setattr(Tree, "add_started_processes", lambda _: found.append(time.perf_counter_ns()))
    sampler._phase = "startup"
    sampler._sample(border=False)
    assert sampler._samples[-1].at_ns > found[-1]


def test_a_pause_in_the_sampling_is_a_gap_and_not_hidden() -> None:
    option = Monitor(interval_s=0.02)
    sampler = Sampler(option, Gpus())
    sampler.start()
    _until(lambda: len(sampler._samples) > 2)
    with sampler._lock:
        time.sleep(0.2)
        before = len(sampler._samples)
    _until(lambda: len(sampler._samples) > before + 2)
    watched = sampler.stop()
    longest = max(sample.gap_s or 0.0 for sample in watched.taken)
    assert longest > 0.15
    record = watched.record(option)
    assert record["gaps"] >= 1
    assert record["longest_gap_s"] == longest


def _until(happened: Any) -> None:
    limit = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < limit
        time.sleep(0.002)


def test_a_costly_reading_is_made_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that costs 10 ms may use 1 % of a core, so it is due once a second; a cheap one at each interval."""
    clock = [0.0]
    monkeypatch.setattr("runner.monitor.tree.time.monotonic", lambda: clock[0])
    for cost_s, expected in ((0.01, 10), (0.00001, 111)):
        clock[0] = 0.0
        pacing, made = Pacing(0.1, 0.01), 0
        for tick in range(1001):
            clock[0] = tick * 0.01
            if pacing.due(expected_s=cost_s):
                pacing.took(cost_s)
                made += 1
        assert made == pytest.approx(expected, abs=2)


def test_a_trial_that_was_killed_has_the_cpu_seconds_that_were_last_seen(tmp_path: Path, supervisor: Supervisor) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    subject = point(tmp_path / "point", mode=Process(), protocol=Protocol(rounds=1, epochs=1, warmup_epochs=0, timeout_s=60))
    subject.config.images = 400

    class Killer(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                used = psutil.Process(event.pids[1]).cpu_times().user
                _until(lambda: psutil.Process(event.pids[1]).cpu_times().user > used + 0.3)
                os.kill(event.pids[0], signal.SIGKILL)

    # The trial goes on when the killer has returned from its first half: it is told by a thread of its own.
    import threading

    class Threaded(Killer):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                threading.Thread(target=super().event, args=(event,)).start()

    Session([subject], 0, Threaded(), supervisor).run()
    (trial,) = subject.trials
    assert trial["status"] == "killed"
    assert trial["cpu_method"] == "last sample"
    assert known(trial["cpu_s"]) > 0.3
    assert [phase["name"] for phase in trial["phases"]][-1] == "epoch"
    assert known(ended(trial["phases"][1])["cpu_user_s"]) > 0  # what was told at the borders is kept


def test_python_code_holds_the_interpreter_lock_and_native_code_does_not(trials: Trials) -> None:
    held: dict[str, Any] = {}
    for does in ("burn", "hash"):
        plan = trials.plan(
            Thread(), workers=2, items=40, task=Fault(does, cpu_s=0.03), task_module="support.faulty_task", gil_probe=True
        )
        outcome = trials._supervisor.execute(plan, 240, lambda _: None)
        assert outcome.report is not None
        held[does] = gil_record(outcome.report)
    assert held["burn"]["held_pct"] > 80
    assert held["burn"]["wait_p50_ms"] > held["hash"]["wait_p50_ms"]
    assert held["hash"]["held_pct"] < 50
    assert held["burn"]["held_low_pct"] > held["hash"]["held_high_pct"]
    assert held["burn"]["excludes_cpu_wait"]


def test_workers_with_locks_of_their_own_are_not_probed(trials: Trials) -> None:
    plan = trials.plan(Process(), gil_probe=True)
    outcome = trials._supervisor.execute(plan, 240, lambda _: None)
    assert outcome.report is not None
    assert outcome.report.gil is None
