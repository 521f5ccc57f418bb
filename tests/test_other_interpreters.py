"""``python=``: trials that run by the interpreter of another environment, with the packages that are installed there."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.environments import OTHER_PILLOW
from support.made_records import timed_trial
from support.points import Silent, point
from support.program import Program

from runner.config.options import ModeOption, Pillow, Process, ProcessPool, Protocol, StartMethod, Thread
from runner.host.interpreter_facts import python_facts
from runner.sweeps.other_code import Surroundings, surroundings_of
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.trial.fork_server import fork_server
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

if sys.platform == "win32":
    pytest.skip("links, and an interpreter in bin/", allow_module_level=True)

SMALL = ["task=pillow", "workers=2", "images=4", "protocol=once", "tracking=none"]


def records_in(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("outputs/**/result.json"))]


def point_by(folder: Path, python: Path, **changes: Any) -> Point:
    subject = point(folder, task=Pillow(), python=str(python), **changes)
    subject.surroundings = surroundings_of(subject.config)
    return subject


def test_a_sweep_over_two_environments_measures_each_with_its_own_packages(
    program: Program, pillow_here: Path, other_pillow: Path
) -> None:
    answer = program(*SMALL, f"python={pillow_here},{other_pillow}", "mode=thread,process", "-m")
    assert answer.returncode == 0, answer.stderr
    records = records_in(program.folder)
    pillows = [record["environment"]["packages"]["pillow"] for record in records]
    assert pillows.count(OTHER_PILLOW) == 2
    assert len(set(pillows)) == 2
    for record in records:
        python = record["config"]["python"]
        assert record["environment"]["interpreter"] == python
        assert (record["environment"]["packages"]["pillow"] == OTHER_PILLOW) is (python == str(other_pillow))
        for trial in record["trials"]:
            assert trial["python"]["packages"] == record["environment"]["packages"]  # read back in the trial
            assert not {"scipy", "tensorflow", "hydra-core", "omegaconf", "mlflow"} & trial["python"]["packages"].keys()
            assert trial["cpu_method"] == "kernel accounting"
            assert trial["preload_s"] is None or trial["preload_s"] > 0
    assert len({record["config_hash"] for record in records}) == 4
    (sweep,) = program.folder.glob("outputs/sweeps/*/*/sweep.json")
    names = [one["name"] for one in json.loads(sweep.read_text())["points"]]
    assert sum(f"python={other_pillow}" in name for name in names) == 2


def test_a_path_is_relative_to_the_current_folder_and_a_link_in_it_is_an_environment_of_its_own(
    program: Program, pillow_here: Path
) -> None:
    (program.folder / ".venv-a").symlink_to(pillow_here.parent.parent)
    answer = program(*SMALL, "python=.venv-a/bin/python")
    assert answer.returncode == 0, answer.stderr
    (record,) = records_in(program.folder)
    assert record["config"]["python"] == ".venv-a/bin/python"
    assert record["environment"]["interpreter"] == str(program.folder / ".venv-a" / "bin" / "python")


@pytest.mark.parametrize(
    "mode",
    [
        Thread(), Process(start_method=StartMethod.fork), Process(start_method=StartMethod.spawn),
        ProcessPool(start_method=StartMethod.forkserver),
    ],
    ids=["thread", "fork", "spawn", "forkserver"],
)  # fmt: skip
def test_every_process_of_a_trial_is_of_its_interpreter(tmp_path: Path, pillow_here: Path, mode: ModeOption) -> None:
    commands: set[str] = set()

    class Noting(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                trial = psutil.Process(event.pids[0])
                commands.update(one.cmdline()[0] for one in [trial, *trial.children(recursive=True)])

    subject = point_by(tmp_path / "point", pillow_here, mode=mode)
    Session([subject], 0, Noting(), Supervisor()).run()
    assert subject.status == "ok", subject.error
    assert commands == {str(pillow_here)}


@pytest.mark.slow
def test_a_trial_that_is_spawned_is_of_its_interpreter_too(tmp_path: Path, pillow_here: Path) -> None:
    subject = point_by(tmp_path / "point", pillow_here)
    Session([subject], 0, Silent(), Supervisor("spawn")).run()
    assert subject.status == "ok", subject.error
    python = subject.trials[0]["python"]
    assert python is not None
    assert "scipy" not in python["packages"]


def test_the_fork_server_of_another_interpreter_ends_with_its_session(tmp_path: Path, pillow_here: Path) -> None:
    servers: list[int] = []

    class Noting(Silent):
        def event(self, event: object) -> None:
            if isinstance(event, Phase) and event.name == "epoch":
                servers.append(psutil.Process(event.pids[0]).ppid())

    subject = point_by(tmp_path / "point", pillow_here, protocol=Protocol(rounds=2, epochs=1))
    Session([subject], 0, Noting(), Supervisor()).run()
    assert subject.status == "ok", subject.error
    assert len(set(servers)) == 1  # one for both rounds
    assert servers[0] != os.getpid()
    assert not psutil.pid_exists(servers[0])


class Ending(Silent):
    """Kills the trial, or what it comes from, in the first epoch of a point by another interpreter."""

    def __init__(self, python: Path, *, server: bool) -> None:
        self._python, self._server = str(python), server

    def event(self, event: object) -> None:
        if not isinstance(event, Phase) or event.name != "epoch" or psutil.Process(event.pids[0]).cmdline()[0] != self._python:
            return
        server = fork_server(tensorflow=False, python=self._python)._server._forkserver_pid
        os.kill(server if self._server else event.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("server", [False, True], ids=["trial", "server"])
def test_an_interpreter_that_is_killed_in_mid_trial_fails_its_point_and_no_other(
    tmp_path: Path, pillow_here: Path, server: bool
) -> None:
    protocol = Protocol(rounds=2, epochs=50)
    harmed = point_by(tmp_path / "harmed", pillow_here, protocol=protocol)
    others = [point(tmp_path / "own", task=Pillow(), protocol=protocol)]
    Session([harmed, *others], 0, Ending(pillow_here, server=server), Supervisor()).run()
    assert harmed.status == "killed"
    assert harmed.error is not None
    assert harmed.error["type"] == ("ForkServerEnded" if server else "TrialKilled")
    assert [(one.status, len(one.trials)) for one in others] == [("ok", 2)]


def test_a_record_from_a_stranger_has_no_interpreter_run_that_is_not_named_again(program: Program, pillow_here: Path) -> None:
    witness = program.folder / "has-run"
    spy = program.folder / "python"
    spy.write_text(f'#!/bin/sh\ntouch {witness}\nexec {pillow_here} "$@"\n')
    spy.chmod(0o755)
    assert program(*SMALL, f"python={spy}").returncode == 0
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    witness.unlink()
    for words in (["rerun", str(folder)], [f"resume={folder}"]):
        refused = program(*words)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"python={spy}: is code named by the record"), refused.stderr
        assert "--allow import" in refused.stderr
        assert not witness.exists()
    assert program("rerun", str(folder), "--allow", "import", "tracking=none").returncode == 0
    assert witness.exists()
    assert program("rerun", str(folder), f"python={pillow_here}", "tracking=none").returncode == 0


def test_a_path_that_is_named_for_a_rerun_is_one_from_where_the_user_is(program: Program, pillow_here: Path) -> None:
    assert program(*SMALL).returncode == 0
    (path,) = (program.folder / "outputs").rglob("result.json")
    record = json.loads(path.read_text())
    record["environment"]["folder"] = str(program.folder / "theirs")  # where a stranger has another program of that name
    path.write_text(json.dumps(record))
    spy = program.folder / "theirs" / "env" / "bin" / "python"
    spy.parent.mkdir(parents=True)
    spy.write_text(f"#!/bin/sh\ntouch {program.folder / 'has-run'}\n")
    spy.chmod(0o755)
    (program.folder / "env").symlink_to(pillow_here.parent.parent)
    answer = program("rerun", str(path.parent), "python=env/bin/python", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    assert not (program.folder / "has-run").exists()


def test_a_preset_of_the_current_folder_names_no_interpreter(program: Program, pillow_here: Path) -> None:
    preset = program.folder / "conf" / "experiment" / "theirs.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(f"# @package _global_\npython: {pillow_here}\n")
    answer = program("experiment=theirs", *SMALL)
    assert answer.returncode == 1
    assert "names code by python" in answer.stderr


@pytest.mark.parametrize("key", ["python=python3", "code=HEAD"])
def test_neither_has_a_meaning_for_the_workers_of_ray(program: Program, key: str) -> None:
    answer = program("mode=ray", *SMALL, key)
    assert answer.returncode == 1
    assert "has no effect on the workers of a Ray cluster" in answer.stderr


def test_the_two_sides_of_a_gate_can_be_two_environments(program: Program, pillow_here: Path, other_pillow: Path) -> None:
    sides = ("--old", f"python={pillow_here}", "--new", f"python={other_pillow}")
    words = [*SMALL[:3], "tracking=none", "monitor=off", "protocol.max_rounds=2"]
    answer = program("gate", *words, *sides, "--json", "gate.json")
    assert answer.returncode in {0, 1, 3}, answer.stderr
    assert json.loads((program.folder / "gate.json").read_text())["rounds"] == 2
    assert {record["config"]["python"] for record in records_in(program.folder)} == {str(pillow_here), str(other_pillow)}
    refused = program("gate", *words, "--new", "python=not/there")
    assert refused.stderr.startswith("new: python=not/there: does not exist")


def test_a_resumed_sweep_whose_environment_has_changed_measures_anew(
    program: Program, pillow_here: Path, other_pillow: Path
) -> None:
    link = program.folder / "env"
    link.symlink_to(pillow_here.parent.parent)
    words = [*SMALL[:3], "protocol=once", "protocol.rounds=2", "tracking=none", "hydra.run.dir=out", "python=env/bin/python"]
    assert program(*words).returncode == 0
    record = program.folder / "out" / "result.json"
    content = json.loads(record.read_text())
    content["trials"].pop()
    content["status"] = "running"
    record.write_text(json.dumps(content))
    link.unlink()
    link.symlink_to(other_pillow.parent.parent)
    answer = program("resume=out", "--allow", "import")
    assert answer.returncode == 0, answer.stderr
    assert f"packages pillow was {content['environment']['packages']['pillow']} and is {OTHER_PILLOW}" in answer.stdout
    assert len(json.loads(record.read_text())["trials"]) == 2


def test_without_another_interpreter_a_record_and_its_hash_are_as_they_were(tmp_path: Path) -> None:
    subject = point(tmp_path)
    before = subject.hash
    subject.config.python = "python3"
    assert subject.hash != before
    assert Surroundings().python() is None
    assert "interpreter" not in point(tmp_path).environment()


@pytest.mark.parametrize(("free_threaded", "gil", "warned"), [(True, True, True), (True, False, False), (False, True, False)])
def test_a_lock_that_a_module_has_brought_back_is_warned_of(
    tmp_path: Path, free_threaded: bool, gil: bool, warned: bool
) -> None:
    subject = point(tmp_path)
    trial = timed_trial(0, 1.0)
    trial["python"] = {**python_facts(()), "free_threaded_build": free_threaded, "gil": gil}
    subject.trials.append(trial)
    assert ("lock_is_back" in {warning.kind for warning in subject.warnings()}) is warned
