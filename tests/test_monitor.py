"""What the monitor says of a trial, against what is known otherwise."""

from __future__ import annotations

import itertools
import json
import mmap
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.made_records import ended, good, known
from support.points import Silent, measured, point
from support.program import Program, compiled
from support.trials import Trials

from runner.analysis.warnings import of_point
from runner.config.options import Loky, Monitor, Process, ProcessPool, Protocol, Sequential, StartMethod, Tensorflow, Thread
from runner.host.control_groups import cpu_quota, throttling
from runner.host.gpu import Gpus
from runner.host.usage import Usage, own_usage, total, usage_of
from runner.monitor.sampler import Sampler
from runner.monitor.tree import Pacing
from runner.record.gil import gil_record
from runner.record.trace import write_trace
from runner.sweep.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

MODES = [Sequential(), Thread(), Process(), ProcessPool(threads_per_worker=2), Process(start_method=StartMethod.forkserver)]


def name(mode: Any) -> str:
    method = getattr(mode, "start_method", StartMethod.auto)
    return mode.name if method is StartMethod.auto else f"{mode.name}-{method.value}"


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
    monkeypatch.setattr(sampler._tree, "add_started_processes", lambda: found.append(time.perf_counter_ns()))
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


@pytest.mark.parametrize("mode", [Thread(), Process(), Process(start_method=StartMethod.spawn)], ids=name)
def test_a_trial_and_its_workers_are_kept_to_their_cpus(tmp_path: Path, supervisor: Supervisor, mode: Any) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux only")
    last = max(os.sched_getaffinity(0))
    subject = point(tmp_path / "point", mode=mode, affinity=str(last))
    seen: list[set[int]] = []

    class Looking(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                seen.extend(os.sched_getaffinity(pid) for pid in event.pids)

    Session([subject], 0, Looking(), supervisor).run()
    (trial,) = subject.trials
    assert trial["cpus"] == [last]
    assert trial["cpus_usable"] == 1
    assert seen
    assert all(cpus == {last} for cpus in seen)
    assert known(subject.metrics["cpu_utilization_pct"]["value"]) <= 101
    trial["cpus"] = [0, last + 1]
    assert "cpus_not_applied" in {warning.kind for warning in of_point(subject.facts())}


def test_a_timeline_has_a_row_for_each_worker_and_the_monitors_counters(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = measured(tmp_path, supervisor, mode=ProcessPool(threads_per_worker=2), monitor=Monitor(interval_s=0.02))
    assert write_trace(subject.folder) == 0
    trace = json.loads((subject.folder / "trace.json").read_text())
    events = trace["traceEvents"]
    rows = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name" and event["pid"] == 2}
    assert set(rows.values()) <= {f"worker {worker}, thread {thread}" for worker in (0, 1) for thread in (0, 1)}
    spans = [event for event in events if event["ph"] == "X" and event["pid"] == 2]
    assert len(spans) == 3 * 6 * 2  # stages, images, epochs
    assert {span["tid"] for span in spans} <= set(rows)
    phases = {event["name"]: event for event in events if event["ph"] == "X" and event["pid"] == 1}
    assert {"startup", "epoch 0", "epoch 1", "teardown"} <= set(phases)
    for span in spans:
        epoch = phases[f"epoch {span['args']['epoch']}"]
        assert epoch["ts"] <= span["ts"]
        assert span["ts"] + span["dur"] <= epoch["ts"] + epoch["dur"] + 1
    # One thread does one thing at a time. Not the smallest overlap: a viewer would draw it as one within the other.
    for rows_spans in ([span for span in spans if span["tid"] == row] for row in (*rows, None)):
        mine = sorted((span["ts"], span["ts"] + span["dur"]) for span in rows_spans or phases.values())
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(mine))
    counters = {event["name"] for event in events if event["ph"] == "C"}
    assert {"CPU of the trial, %", "resident memory, MB"} <= counters


def test_another_trial_can_be_shown_and_one_that_is_not_there_cannot(program: Program) -> None:
    words = ["mode=sequential", "images=2", "protocol.rounds=2", "protocol.epochs=1", "tracking=none"]
    assert program(*words).returncode == 0
    (result,) = program.folder.glob("outputs/runs/*/*/result.json")
    assert (result.parent / "trace.json").is_file()
    answer = program("trace", str(result.parent), "--round", "1")
    assert answer.returncode == 0, answer.stderr
    assert json.loads((result.parent / "trace.json").read_text())["otherData"]["round"] == 1
    answer = program("trace", str(result.parent), "--round", "7")
    assert answer.returncode == 1
    assert "no round 7; its rounds are 0, 1" in answer.stderr
    answer = program("trace", str(program.folder))
    assert answer.returncode == 1
    assert "holds no record" in answer.stderr


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("usage_usec 5\nnr_periods 9\nnr_throttled 3\nthrottled_usec 250000\n", (0.25, 3)),
        ("nr_periods 9\nnr_throttled 4\nthrottled_time 1500000000\n", (1.5, 4)),
        ("usage_usec 5\n", None),
    ],
    ids=["version 2", "version 1", "no quota"],
)
def test_the_time_a_quota_withheld_is_read_in_either_version(tmp_path: Path, content: str, expected: Any) -> None:
    (tmp_path / "cpu.stat").write_text(content)
    assert throttling(tmp_path, tmp_path / "none") == expected


def _groups(root: Path, files: dict[str, str], membership: str) -> tuple[Path, Path]:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "membership").write_text(membership)
    return root, root / "membership"


def test_the_tightest_quota_of_the_groups_around_this_process_counts(tmp_path: Path) -> None:
    """As ``systemd-run -p CPUQuota=150%`` sets one, or a slice around it."""
    files = {"a.slice/b.scope/cpu.max": "max 100000\n", "a.slice/cpu.max": "150000 100000\n", "cpu.max": "400000 100000\n"}
    files |= {"a.slice/b.scope/cpu.stat": "nr_throttled 0\nthrottled_usec 0\n", "other/cpu.max": "50000 100000\n"}
    files |= {"a.slice/cpu.stat": "nr_throttled 7\nthrottled_usec 2000000\n"}
    groups = _groups(tmp_path, files, "0::/a.slice/b.scope\n")
    assert cpu_quota(*groups) == 1.5
    assert throttling(*groups) == (2.0, 7)


def test_a_quota_of_version_1_is_read_where_its_controller_is_or_where_a_container_sees_it(tmp_path: Path) -> None:
    files = {"cpu,cpuacct/jobs/1/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/jobs/1/cpu.cfs_period_us": "100000\n"}
    membership = "5:memory:/jobs/9\n4:cpu,cpuacct:/jobs/1\n"
    assert cpu_quota(*_groups(tmp_path / "host", files, membership)) == 0.5
    files = {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert cpu_quota(*_groups(tmp_path / "container", files, "4:cpu,cpuacct:/docker/abc\n")) == 2.0
    assert cpu_quota(*_groups(tmp_path / "free", {"cpu/cpu.cfs_quota_us": "-1\n"}, membership)) is None


def test_the_host_around_a_trial_is_in_its_record_and_feeds_the_warnings(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = measured(tmp_path, supervisor, protocol=Protocol(rounds=2, epochs=1, warmup_epochs=0))
    trials = [good(trial) for trial in subject.trials]
    for trial in trials:
        conditions = trial["host"]
        assert 0 <= known(conditions["other_cpu_pct"]) <= 100
        assert known(conditions["load_1m_before"]) >= 0
        assert {"stolen_pct", "pressure_cpu_pct", "pressure_io_pct", "throttled_s", "frequency_mhz_after"} <= set(conditions)
    assert not {"throttled", "short_of_memory", "frequency_changed"} & {warning.kind for warning in of_point(subject.facts())}
    for trial, frequency in zip(trials, (2000.0, 3000.0), strict=True):
        trial["host"] |= {
            "throttled_s": 1.0, "pressure_memory_pct": 9.0, "frequency_mhz_before": frequency, "frequency_mhz_after": frequency,
        }  # fmt: skip
        trial["monitor"]["gaps_s"] = 100.0
        trial["gil"] = {
            "wakeups": 100, "held_pct": 95.0, "wait_p50_ms": 6.0, "excludes_cpu_wait": False, "probe_cpu_s": 0.0,
        }  # fmt: skip
        trial["peak_memory_method"] = "rss"
    found = {warning.kind: warning.message for warning in of_point(subject.facts())}
    assert {"throttled", "short_of_memory", "frequency_changed", "gaps_in_samples", "gil_bound", "less_precise"} <= set(found)
    assert "held in 95 %" in found["gil_bound"]


@pytest.mark.parametrize("mode", ["thread", "process", "process mode.start_method=spawn"])
def test_without_proc_everything_works_with_less_precision_and_says_so(program: Program, tmp_path: Path, mode: str) -> None:
    denied = compiled("no_proc.c", tmp_path / "no_proc.so")
    words = [
        *f"mode={mode}".split(),
        "workers=2",
        "task=pillow",
        "images=6",
        "protocol=once",
        "tracking=none",
        "monitor.gil_probe=true",
    ]
    answer = program.cold(*words, LD_PRELOAD=str(denied))
    assert answer.returncode == 0, answer.stderr
    (result,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(result.read_text())
    (trial,) = record["trials"]
    assert trial["status"] == "ok"
    assert trial["cpu_s"] > 0
    assert trial["epochs"][0]["cpu_s"] > 0
    assert trial["epochs"][0]["voluntary_switches"] > 0
    assert trial["epochs"][0]["read_bytes"] is None
    assert trial["peak_memory_method"] == "largest_rss"
    assert trial["peak_memory_bytes"] > 100e6
    assert trial["threads_peak"] is None
    assert trial["host"]["other_cpu_pct"] is None
    (less,) = (warning for warning in record["warnings"] if warning["kind"] == "less_precise")
    assert "bytes read and written are unknown" in less["message"]
    assert "this system measures less" in answer.stdout


def test_without_samples_the_exact_figures_remain(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = measured(tmp_path, supervisor, mode=Process(), monitor=Monitor(enabled=False), task=Tensorflow())
    (trial,) = map(good, subject.trials)
    assert all(ended(phase)["cpu_user_s"] is not None for phase in trial["phases"])
    assert known(trial["epochs"][0]["voluntary_switches"]) > 0
    assert trial["peak_memory_method"] == "pss"
    assert trial["monitor"]["enabled"] is False
    assert {sample.threads for sample in subject.series[0].samples} == {None}


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="takes /proc")
def test_a_file_that_was_installed_a_moment_ago_is_nobodys_own_memory(tmp_path: Path) -> None:
    from runner.host.mapped_files import write_back_mapped_files
    from runner.host.memory import _Pages

    path = tmp_path / "library"
    before = _Pages.of(os.getpid()).own
    path.write_bytes(os.urandom(50_000_000))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert sum(mapped[:: mmap.PAGESIZE]) > 0  # each page is touched
        write_back_mapped_files()
        assert _Pages.of(os.getpid()).own - before < 20_000_000
