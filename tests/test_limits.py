"""What the system allows at most is read, held against what a trial needs before it starts, and named when a trial has failed for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
from support.composing import composed
from support.control_groups import limited, tree
from support.program import Program
from support.trials import Trials

from runner.analysis.needs import Planned, needs_of
from runner.analysis.shortages import named, refuse_too_many, short_of_memory
from runner.config.options import Grain, Loky, Pillow, Process, StartMethod, Thread, Torch
from runner.config.options.loaders import RunIn
from runner.errors import ConfigurationError, TrialFailed, TrialKilled
from runner.host.control_groups import memory_limit_bytes, oom_kills, pids_limit
from runner.host.limits import Limits
from runner.pipeline.sources.image import Image

GIB = 1 << 30
PHOTO = [Image("a.jpg", "jpeg", 1900, 1900, "0")]
HUGE = [Image("a.jpg", "jpeg", 13_000, 13_000, "0")]


def trial(*words: str, images: list[Image] = PHOTO) -> Planned:
    return Planned(composed(*words), images, 2.0)


def test_the_tightest_limit_of_memory_of_the_groups_around_this_process_counts(tmp_path: Path) -> None:
    files = {"a/b/memory.max": "max\n", "a/memory.max": f"{2 * GIB}\n", "memory.max": f"{8 * GIB}\n", "other/memory.max": "5\n"}
    assert memory_limit_bytes(*tree(tmp_path, files, "0::/a/b\n")) == 2 * GIB
    assert memory_limit_bytes(*tree(tmp_path / "free", {"a/memory.max": "max\n"}, "0::/a\n")) is None


def test_limits_of_version_1_are_read_where_the_controller_is_or_where_a_container_sees_it(tmp_path: Path) -> None:
    membership = "4:memory:/jobs/1\n8:pids:/jobs/1\n1:cpu:/\n"
    files = {"memory/jobs/1/memory.limit_in_bytes": "9223372036854771712\n", "memory/jobs/memory.limit_in_bytes": f"{GIB}\n"}
    files |= {"memory/jobs/1/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"}
    files |= {"pids/jobs/1/pids.max": "100\n", "pids/jobs/1/pids.current": "40\n", "pids/jobs/pids.max": "max\n"}
    groups = tree(tmp_path / "host", files, membership)
    assert (memory_limit_bytes(*groups), oom_kills(*groups), pids_limit(*groups)) == (GIB, 3, (100, 40))
    groups = tree(tmp_path / "container", {"memory/memory.limit_in_bytes": f"{GIB}\n"}, "4:memory:/docker/abc\n")
    assert (memory_limit_bytes(*groups), oom_kills(*groups), pids_limit(*groups)) == (GIB, None, None)


def test_kills_and_the_room_for_processes_are_read_in_version_2(tmp_path: Path) -> None:
    files = {"a/memory.events": "low 0\noom 4\noom_kill 2\n", "memory.events": "oom_kill 9\n", "a/pids.max": "max\n"}
    files |= {"pids.max": "50\n", "pids.current": "20\n"}
    groups = tree(tmp_path, files, "0::/a\n")
    assert (oom_kills(*groups), pids_limit(*groups)) == (2, (50, 20))


def test_spawned_processes_with_tensorflow_need_far_more_memory_than_forked_ones() -> None:
    spawned, forked = (
        needs_of(trial("mode=process", "workers=15", f"mode.start_method={method}")) for method in ("spawn", "fork")
    )
    assert 5e9 < spawned.memory_bytes < 6e9
    assert forked.memory_bytes < 1.2e9


def test_that_memory_will_not_do_is_said_with_what_would() -> None:
    words = ("mode=process", "mode.start_method=spawn", "workers=15")
    said = short_of_memory("process-w15", trial(*words), Limits(memory_bytes=2 * 10**9, host_memory_bytes=10**12))
    assert said == (
        "process-w15: 15 processes need about 5.7 GB by spawn, 2.0 GB are allowed by the control group: 3 fit, or mode.start_method=fork"
    )
    assert short_of_memory("x", trial(*words), Limits(memory_bytes=9 * 10**9)) is None
    assert short_of_memory("x", trial(*words), Limits()) is None
    said = short_of_memory("x", trial("mode=thread", "workers=8", images=HUGE), Limits(host_memory_bytes=4 * 10**9))
    assert said == "x: 8 threads need about 5.8 GB, 4.0 GB are all that this host has: 5 fit"
    assert "not one fits" in str(short_of_memory("x", trial("mode=thread", images=HUGE), Limits(memory_bytes=10**9)))


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (Thread(), ["mode=thread"]),
        (Process(start_method=StartMethod.fork), ["mode=process", "mode.start_method=fork"]),
        (Process(start_method=StartMethod.forkserver), ["mode=process", "mode.start_method=forkserver"]),
        (Process(start_method=StartMethod.spawn), ["mode=process", "mode.start_method=spawn"]),
        (Loky(), ["mode=loky"]),
        (Torch(multiprocessing_context=StartMethod.fork), ["mode=torch", "mode.multiprocessing_context=fork"]),
        (Torch(multiprocessing_context=StartMethod.spawn), ["mode=torch", "mode.multiprocessing_context=spawn"]),
        (Grain(run_in=RunIn.processes), ["mode=grain", "mode.run_in=processes"]),
    ],
    ids=["thread", "fork", "forkserver", "spawn", "loky", "torch-fork", "torch-spawn", "grain-processes"],
)
def test_the_memory_that_is_expected_is_about_what_a_trial_takes(
    trials: Trials, sample: Sequence[Image], mode: Any, words: list[str]
) -> None:
    if mode.needs is not None:
        pytest.importorskip(mode.needs[0])
    report = trials.report(mode, workers=3, items=12, task=Pillow(), task_module="runner.pipeline.tasks.pillow")
    expected = needs_of(Planned(composed(*words, "workers=3", "images=12", "task=pillow"), sample, 2.0)).memory_bytes
    if report.footprint.memory_method != "pss" or sys.platform != "linux":
        pytest.skip("pages that are shared count more than once here")
    assert 0.5 * expected < (report.footprint.memory_bytes or 0) < 1.5 * expected


def test_no_more_pictures_count_than_are_handled_at_once() -> None:
    few, many = (needs_of(trial("mode=thread", "workers=8", f"images={images}", images=HUGE)) for images in (1, 100))
    assert few.memory_bytes < 1.2e9 < many.memory_bytes


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(open_files=40), "need 46 open files in one process, and RLIMIT_NOFILE allows 40"),
        (Limits(tasks=20, tasks_most=64, tasks_name="RLIMIT_NPROC"), "and RLIMIT_NPROC=64 leaves room for 20"),
        (Limits(tasks=20, tasks_most=64, tasks_name="pids.max"), "and pids.max=64 leaves room for 20"),
    ],
)
def test_more_workers_than_can_run_are_refused(limits: Limits, said: str) -> None:
    with pytest.raises(ConfigurationError, match="workers=15: ") as refused:
        refuse_too_many(trial("mode=process", "workers=15"), limits)
    assert said in str(refused.value)
    refuse_too_many(trial("mode=process", "workers=1"), limits)
    refuse_too_many(trial("mode=process", "workers=15"), Limits())


@pytest.mark.parametrize(
    ("text", "limits", "said"),
    [
        ("OSError: [Errno 24] Too many open files", Limits(open_files=64), "RLIMIT_NOFILE allows 64 open files"),
        ("RuntimeError: can't start new thread", Limits(tasks=5, tasks_most=99, tasks_name="pids.max"), "pids.max=99 leaves room for 5"),
        ("BlockingIOError: [Errno 11] Resource temporarily unavailable", Limits(tasks=5, tasks_most=9, tasks_name="RLIMIT_NPROC"), "RLIMIT_NPROC=9"),
        ("MemoryError", Limits(address_space_bytes=10**9), "RLIMIT_AS, the address space of each process, is 1.0 GB"),
        ("[Errno 12] Cannot allocate memory", Limits(memory_bytes=10**9), "the control group's memory limit is 1.0 GB"),
        ("worker 1 was killed by SIGABRT", Limits(address_space_bytes=10**9), "RLIMIT_AS"),
    ],
)  # fmt: skip
def test_a_failure_by_a_limit_names_it(text: str, limits: Limits, said: str) -> None:
    error = named(TrialFailed(text, kind="Kind", remote_traceback="where"), trial("mode=process"), limits, limits)
    assert str(error).startswith(f"{text}; ")
    assert said in str(error)
    assert (type(error), error.kind, error.remote_traceback) == (TrialFailed, "Kind", "where")


def test_a_failure_for_another_reason_is_left_as_it_is() -> None:
    error = TrialFailed("ValueError: bad")
    limits = Limits(memory_bytes=1, address_space_bytes=1, open_files=1, tasks=1, oom_kills=3)
    assert named(error, trial(), limits, limits) is error


def test_a_kill_for_want_of_memory_is_told_from_other_kills() -> None:
    error = TrialKilled("worker 3 (pid 7) was killed by SIGKILL")
    said = str(named(error, trial("mode=process"), Limits(oom_kills=1), Limits(oom_kills=2, memory_bytes=10**8)))
    assert said.startswith("worker 3 (pid 7) was killed by SIGKILL; the memory limit of 0.1 GB was reached")
    assert "(oom_kill); 15 processes need about" in said
    assert said.endswith("not one fits")


def shell(folder: Path, before: str, program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    """The program, started by a shell that has done something before."""
    command = ["/bin/sh", "-c", f'{before} && exec "$@"', "sh", *program.command(*words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


ONCE = ("protocol=once", "tracking=none", "task=pillow", "images=8", "mode=process", "hydra.run.dir=outputs/x")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="takes Linux")
def test_a_real_limit_of_memory_is_recorded_predicted_and_named(tmp_path: Path, program: Program) -> None:
    PIL.Image.new("L", (9000, 9000), 7).save(tmp_path / "big.png")
    with limited("memory", 450_000_000) as enter:
        answer = shell(tmp_path, enter, program, *ONCE, "source=file", "source.path=big.png", "workers=8")
    assert answer.returncode == 1
    assert "process-w8: 8 processes need about 2.7 GB by fork, 0.4 GB are allowed by the control group: 1 fits" in answer.stderr
    record = json.loads((tmp_path / "outputs/x/result.json").read_text())
    assert 449_000_000 < record["environment"]["memory_limit_bytes"] <= 450_000_000
    assert record["environment"]["memory_bytes"] > 450_000_000
    assert "the memory limit of 0.4 GB was reached, and the system killed a process for it" in record["error"]["message"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="takes Linux")
def test_a_real_limit_of_processes_is_looked_at_before_anything_starts(tmp_path: Path, program: Program) -> None:
    with limited("pids", 40) as enter:
        answer = shell(tmp_path, enter, program, *ONCE, "workers=60")
    assert answer.returncode == 1
    assert answer.stderr.startswith("workers=60: need at least 123 processes and threads, and pids.max=40 leaves room for "), (
        answer.stderr
    )
    assert not (tmp_path / "outputs").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such limits")
def test_a_real_limit_of_open_files_is_looked_at_before_anything_starts(tmp_path: Path, program: Program) -> None:
    answer = shell(tmp_path, "ulimit -n 64", program, *ONCE, "workers=60")
    assert answer.returncode == 1
    assert answer.stderr.startswith("workers=60: need 136 open files in one process, and RLIMIT_NOFILE allows 64\n"), (
        answer.stderr
    )
    assert "ulimit -n 272" in answer.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="takes Linux")
def test_a_real_limit_of_address_space_is_named(tmp_path: Path, program: Program) -> None:
    PIL.Image.new("L", (12_000, 12_000), 7).save(tmp_path / "big.png")
    words = (*ONCE, "source=file", "source.path=big.png", "workers=1")
    answer = shell(tmp_path, "ulimit -v 900000", program, *words, "protocol.max_failed_pct=100")
    assert answer.returncode == 1
    assert "RLIMIT_AS, the address space of each process, is 0.9 GB" in answer.stderr, answer.stdout + answer.stderr
