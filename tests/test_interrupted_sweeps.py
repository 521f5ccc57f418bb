"""Interrupted, killed and resumed sweeps lose nothing but the trial in flight."""

from __future__ import annotations

import json
import signal

import pytest
from support.program import Program, processes_of
from support.protocol import SMALL, started, trials_on_disk, wait_for
from support.stores import local_store, runs_at, sweep_in


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_is_closed_and_can_be_resumed(program: Program, marker: str, number: signal.Signals) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=12", "protocol.self_check=false")
    wait_for("the third round", lambda: sum(map(len, trials_on_disk(program.folder).values())) >= 5, process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert processes_of(marker) == []
    before = trials_on_disk(program.folder)
    done = sum(map(len, before.values()))
    assert 5 <= done < 24
    folder = sweep_in(program.folder)
    sweep = json.loads((folder / "sweep.json").read_text())
    assert "killed" in {one["status"] for one in sweep["points"]}
    assert "KILLED" in {run["status"] for run in runs_at(local_store(program.folder))}

    answer = program(f"resume={folder.relative_to(program.folder)}")
    assert answer.returncode == 0, answer.stderr
    after = trials_on_disk(program.folder)
    for name, trials in after.items():
        assert trials[: len(before[name])] == before[name]
        assert [trial["round"] for trial in trials] == list(range(12))
    assert len({trial["session"] for trials in after.values() for trial in trials}) == 2
    sweep = json.loads((folder / "sweep.json").read_text())
    assert {one["status"] for one in sweep["points"]} == {"ok"}
    assert sweep["comparisons"][0]["n"] in {11, 12}
    assert {run["status"] for run in runs_at(local_store(program.folder))} == {"FINISHED"}


def test_a_killed_conductor_loses_the_trial_in_flight_and_no_other(program: Program, marker: str) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=6", "tracking=none", "protocol.self_check=true")
    wait_for("some trials", lambda: sum(map(len, trials_on_disk(program.folder).values())) >= 4, process)
    process.kill()
    process.communicate()
    before = trials_on_disk(program.folder)
    assert sum(map(len, before.values())) >= 4
    (folder,) = program.folder.glob("outputs/sweeps/*/*")
    answer = program(f"resume={folder}")
    assert answer.returncode == 0, answer.stderr
    after = trials_on_disk(program.folder)
    assert set(after) == {"0", "1", "self_check"}
    for name, trials in after.items():
        assert len(trials) == 6
        assert trials[: len(before.get(name, []))] == before.get(name, [])


@pytest.mark.parametrize("words", [["resume=nowhere"], ["resume=.", "workers=2"]])
def test_resume_refuses_what_is_no_sweep_of_its_own(program: Program, words: list[str]) -> None:
    answer = program(*words)
    assert answer.returncode == 1
    assert answer.stderr.startswith("resume=")
    assert len(answer.stderr.strip().splitlines()) == 2


def test_fail_fast_ends_the_sweep_at_the_first_failure(program: Program) -> None:
    (program.folder / "bad.jpg").write_bytes(b"no image")
    answer = program(
        "mode=sequential",
        "source=file",
        "source.path=bad.jpg",
        "task=pillow",
        "task.size=8,9",
        "fail_fast=true",
        "tracking=none",
        "-m",
    )
    assert answer.returncode == 1
    trials = trials_on_disk(program.folder)
    assert sum(map(len, trials.values())) == 1
