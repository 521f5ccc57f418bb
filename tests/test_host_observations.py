"""The host around a trial: quotas, affinity, the timeline, a system without /proc."""

from __future__ import annotations

import itertools
import json
import mmap
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from support.control_groups import tree
from support.made_records import ended, good, known
from support.monitor import name
from support.points import Silent, measured, point
from support.program import Program, compiled

from runner.analysis.warnings import of_point
from runner.config.options import Monitor, Pillow, Process, ProcessPool, Protocol, StartMethod, Tensorflow, Thread
from runner.host.control_groups import cpu_quota, throttling
from runner.record.trace import write_trace
from runner.sweeps.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor


@pytest.mark.parametrize("mode", [Thread(), Process(), Process(start_method=StartMethod.spawn)], ids=name)
def test_a_trial_and_its_workers_are_kept_to_their_cpus(tmp_path: Path, supervisor: Supervisor, mode: Any) -> None:
    if sys.platform != "linux":
        pytest.skip("Linux only")
    last = max(os.sched_getaffinity(0))
    subject = point(tmp_path / "point", mode=mode, task=Pillow(), affinity=str(last))
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


def test_the_tightest_quota_of_the_groups_around_this_process_counts(tmp_path: Path) -> None:
    """As ``systemd-run -p CPUQuota=150%`` sets one, or a slice around it."""
    files = {"a.slice/b.scope/cpu.max": "max 100000\n", "a.slice/cpu.max": "150000 100000\n", "cpu.max": "400000 100000\n"}
    files |= {"a.slice/b.scope/cpu.stat": "nr_throttled 0\nthrottled_usec 0\n", "other/cpu.max": "50000 100000\n"}
    files |= {"a.slice/cpu.stat": "nr_throttled 7\nthrottled_usec 2000000\n"}
    groups = tree(tmp_path, files, "0::/a.slice/b.scope\n")
    assert cpu_quota(*groups) == 1.5
    assert throttling(*groups) == (2.0, 7)


def test_a_quota_of_version_1_is_read_where_its_controller_is_or_where_a_container_sees_it(tmp_path: Path) -> None:
    files = {"cpu,cpuacct/jobs/1/cpu.cfs_quota_us": "50000\n", "cpu,cpuacct/jobs/1/cpu.cfs_period_us": "100000\n"}
    membership = "5:memory:/jobs/9\n4:cpu,cpuacct:/jobs/1\n"
    assert cpu_quota(*tree(tmp_path / "host", files, membership)) == 0.5
    files = {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert cpu_quota(*tree(tmp_path / "container", files, "4:cpu,cpuacct:/docker/abc\n")) == 2.0
    assert cpu_quota(*tree(tmp_path / "free", {"cpu/cpu.cfs_quota_us": "-1\n"}, membership)) is None


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
    assert trial["peak_memory_bytes"] > 30e6
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
