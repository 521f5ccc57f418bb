"""``runner profile``: py-spy looks into a real trial; what it is refused, and where its files go."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.program import Program
from support.records import OLD

from runner.analysis.stacks import KINDS, Profile, stacks_of
from runner.errors import ConfigurationError, RunnerError
from runner.host import py_spy as module
from runner.host.py_spy import Recording, py_spy, refusal

FEW = ("images=4", "workers=1", "tracking=none", "--seconds=2")


def can_look() -> bool:
    """Whether py-spy is there, and the system lets it look into a process that is no child of its own."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        with Recording(py_spy(), child.pid):
            return True
    except RunnerError:
        return False
    finally:
        child.kill()
        child.communicate()


@pytest.fixture(scope="module")
def looking() -> None:
    if not can_look():
        pytest.skip("takes py-spy, and a system that lets it look into processes")


def profile_in(folder: Path) -> Profile:
    return Profile(list(stacks_of((folder / "profile.txt").read_text(encoding="utf-8"))), native=module.reads_native(py_spy()))


@pytest.mark.slow
@pytest.mark.usefixtures("looking")
@pytest.mark.parametrize(
    ("mode", "task", "kind"),
    [
        ("thread", ("task=python", "task.size=64"), "interpreter"),
        ("process", ("task=pillow",), "decoder"),
        ("thread", ("task=function", "task.function=own:go"), "waiting"),
    ],
)
def test_a_worker_is_seen_doing_mostly_what_its_task_does(
    program: Program, mode: str, task: tuple[str, ...], kind: str
) -> None:
    (program.folder / "own.py").write_text("import time\ndef go(data):\n    time.sleep(0.02)\n    return data\n")
    answer = program("profile", f"mode={mode}", *task, *FEW)
    assert answer.returncode == 0, answer.stderr
    (picture,) = program.folder.glob("outputs/profiles/*/*/profile.svg")
    profile = profile_in(picture.parent)
    if not profile.native and kind != "interpreter":
        pytest.skip("what is not Python is not told apart without native frames")
    assert max(KINDS, key=lambda one: profile.workers.counts[one]) == kind, profile.workers
    assert profile.workers.threads == 1
    assert f"{kind[0].upper()}{kind[1:]} {profile.workers.pct(kind):.0f} %" in answer.stdout
    assert picture.read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.slow
@pytest.mark.usefixtures("looking")
def test_the_profile_of_a_record_is_beside_it_and_in_its_run(program: Program) -> None:
    answer = program("task=pillow", "mode=thread", "workers=1", "images=4", "protocol=once")
    assert answer.returncode == 0, answer.stderr
    (folder,) = program.folder.glob("outputs/runs/*/*")
    before = (folder / "result.json").read_bytes()
    answer = program("profile", str(folder), "--seconds=1")
    assert answer.returncode == 0, answer.stderr
    assert "among the artifacts of the record's run as profile.svg" in answer.stdout
    assert len(list(program.folder.glob("outputs/mlartifacts/*/artifacts/profile.svg"))) == 1
    assert (folder / "result.json").read_bytes() == before
    assert program("verify", str(folder)).returncode == 0
    answer = program("profile", str(folder), "workers=2", "--seconds=1")
    assert answer.returncode == 0, answer.stderr
    assert list(program.folder.glob("outputs/profiles/*/*/profile.svg")), "with other choices it is no profile of the record"
    server = "http://127.0.0.1:9"
    record = json.loads(before)
    record["config"]["tracking"] = {"name": "server", "uri": server, "experiment": "theirs"}
    (folder / "result.json").write_text(json.dumps(record))
    answer = program("profile", str(folder), "--seconds=1")
    assert answer.returncode == 0, answer.stderr
    assert f"{server} is named by the record, so nothing is sent there" in answer.stdout


def path_with_py_spy(folder: Path, script: str = "exit 1") -> str:
    """A path on which something is called as py-spy is, whether or not that is installed."""
    (folder / "bin").mkdir()
    program = folder / "bin" / "py-spy"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])


@pytest.mark.skipif(os.name == "nt", reason="takes a shell")
def test_code_that_a_record_names_does_not_run_unasked(program: Program) -> None:
    path = path_with_py_spy(program.folder)
    shutil.copytree(OLD, program.folder / "old")
    (folder,) = [path.parent for path in sorted((program.folder / "old").rglob("result.json"))][:1]
    record = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    record["config"]["task"] = {"name": "function", "function": "os:system"}
    (folder / "result.json").write_text(json.dumps(record))
    answer = program.cold("profile", str(folder), PATH=path)
    assert answer.returncode == 1
    assert "without permission" in answer.stderr
    assert "--allow import" in answer.stderr


@pytest.mark.skipif(os.name == "nt", reason="takes a shell")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "FOLDER=nowhere: is no record of a point"),
        (["--seconds=0"], "--seconds=0: is out of range"),
        (["workers=1,2"], "workers=1,2: is several values, and a profile is of one configuration"),
        (["experiment=tune"], "experiment=experiment=tune: cannot be chosen for a profile"),
        (["workers=0"], "workers=0"),
        (["mode=ray", "workers=1"], "mode=ray: has workers that its cluster starts"),
    ],
)
def test_what_cannot_be_profiled_is_refused(program: Program, words: list[str], said: str) -> None:
    answer = program.cold("profile", *words, PATH=path_with_py_spy(program.folder))
    assert answer.returncode == 1
    assert said in answer.stderr
    assert answer.stderr.count("accepted:") == 1
    assert not (program.folder / "outputs").exists()


def test_a_missing_py_spy_is_said_with_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'image-pipeline-runner\[profile\]'"):
        py_spy()


@pytest.mark.parametrize(
    ("said", "scope", "reason", "accepted"),
    [
        ("Error: Permission Denied: Try running again with elevated permissions", "1", "ptrace_scope", "sysctl"),
        ("Permission denied (os error 13)", "0", "does not let py-spy look", "SYS_PTRACE"),
        ("Error: Operation not permitted (os error 1)", None, "does not let py-spy look", "SYS_PTRACE"),
        ("This program requires root on OSX.", None, "only root", "sudo"),
        ("Error: Failed to find python version from target process", None, "Failed to find python version", ""),
        ("", None, "it said nothing", ""),
    ],
)
def test_what_py_spy_says_becomes_a_reason(
    monkeypatch: pytest.MonkeyPatch, said: str, scope: str | None, reason: str, accepted: str
) -> None:
    monkeypatch.setattr(module, "_scope", lambda: scope)
    error = refusal(said)
    assert reason in str(error)
    assert accepted in str(error)


@pytest.mark.skipif(os.name == "nt", reason="takes a shell")
def test_a_py_spy_that_may_not_look_leaves_no_process_and_no_folder(program: Program) -> None:
    path = path_with_py_spy(program.folder, "echo 'Error: Operation not permitted (os error 1)'; exit 1")
    answer = program.cold("profile", "task=pillow", "mode=thread", *FEW, PATH=path)
    assert answer.returncode == 1
    assert "the system does not let py-spy look" in answer.stderr
    assert not (program.folder / "outputs" / "profiles").exists()


@pytest.mark.skipif(os.name == "nt", reason="takes a shell")
def test_a_py_spy_that_never_begins_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ATTACH_S", 0.2)
    monkeypatch.setenv("PATH", path_with_py_spy(tmp_path, '[ "$2" = --help ] || exec sleep 1000'))
    began = time.monotonic()
    with pytest.raises(RunnerError, match=r"no sample within 0\.2 s"):
        Recording(py_spy(), os.getpid())
    assert time.monotonic() - began < 100
