"""``code=``: functions of the user's own from other commits of the repository around the current folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.protocol import started, wait_for
from support.repository import Repository

from runner.config.options import Config
from runner.errors import ConfigurationError
from runner.host.checkouts import checkout, commit_of, remove_checkouts
from runner.pipeline.own_code import CodePlan

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="takes git")

SMALL = ["task=function", "task.function=mine:f", "workers=2", "images=4", "protocol=once", "tracking=none"]
FIRST = "def f(data): return data[:100]\n"
SECOND = "import part\n\ndef f(data): return data[:part.LENGTH]\n"


@pytest.fixture
def repository(program: Program) -> Repository:
    """Around the program's folder, with two commits that are sound, and a third that cannot be imported."""
    made = Repository(program.folder)
    made.commit("first", mine=FIRST)
    made.commit("second", mine=SECOND, part="LENGTH = 200\n")
    made.commit("broken", mine="import there_is_no_such_module\n")
    return made


def records_in(folder: Path) -> dict[str, Any]:
    """The records by what their points were told."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("outputs/**/result.json"))]
    return {next((word for word in record["overrides"] if word.startswith("code=")), ""): record for record in records}


@pytest.mark.parametrize("mode", [["mode=thread"], ["mode=process"], ["mode=process", "mode.start_method=spawn"]], ids=" ".join)
def test_each_commit_is_measured_with_its_own_files(program: Program, repository: Repository, mode: list[str]) -> None:
    answer = program(*SMALL, *mode, "code=first,second,null", "-m")
    assert answer.returncode == 1, answer.stderr  # what is in the folder now is broken
    records = records_in(program.folder)
    assert {word: record["status"] for word, record in records.items()} == {
        "code=first": "ok",
        "code=second": "ok",
        "code=null": "failed",
    }
    digests = {records[word]["trials"][0]["digest"] for word in ("code=first", "code=second")}
    assert len(digests) == 2
    for tag in ("first", "second"):
        commit = repository.git("rev-parse", tag)
        assert records[f"code={tag}"]["config"]["code"] == commit
        assert records[f"code={tag}"]["environment"]["git"] == {"commit": commit, "dirty": False}
    assert repository.work_trees() == [str(program.folder)]


def test_a_commit_that_cannot_be_imported_fails_its_point_and_no_other(program: Program, repository: Repository) -> None:
    answer = program(*SMALL, "code=broken,first", "-m")
    assert answer.returncode == 1
    records = records_in(program.folder)
    assert records["code=first"]["status"] == "ok"
    error = records["code=broken"]["error"]
    assert error["type"] == "ConfigurationError"
    assert error["message"].startswith("task.function=mine:f: cannot be imported: No module named 'there_is_no_such_module'")
    assert repository.work_trees() == [str(program.folder)]


@pytest.mark.parametrize("revision", ["no-such-branch", "0123456789abcdef0123456789abcdef01234567", "--all"])
def test_a_revision_that_does_not_exist_is_refused_before_the_sweep(
    program: Program, repository: Repository, revision: str
) -> None:
    answer = program(*SMALL, f"code=first,{revision}", "-m")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"code={revision}: is no commit of the repository {program.folder}\n  accepted: a branch,")
    assert records_in(program.folder) == {}


def test_outside_of_a_repository_and_without_an_own_function_there_is_no_other_code(program: Program, tmp_path: Path) -> None:
    (program.folder / "mine.py").write_text(FIRST)
    assert "needs a git repository" in program(*SMALL, "code=HEAD").stderr
    assert "is about functions of your own, and there is none" in program("code=HEAD", "task=pillow").stderr


def test_a_function_that_is_installed_is_the_same_in_each_commit_and_so_refused(
    program: Program, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "installed.py").write_text(FIRST)
    answer = program.cold(*SMALL, "task.function=installed:f", "code=first", PYTHONPATH=f"{elsewhere}{os.pathsep}{_root()}")
    assert answer.returncode == 1
    (record,) = records_in(program.folder).values()
    assert "comes from" in record["error"]["message"]
    assert "and not from the commit of code=" in record["error"]["message"]


def _root() -> str:
    from support.paths import ROOT

    return str(ROOT)


def test_a_folder_of_the_repository_on_the_path_is_replaced_and_an_environment_in_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, other = tmp_path / "repository", tmp_path / "other"
    for folder in (repository / "src", repository / ".venv", other / "src"):
        folder.mkdir(parents=True)
    before = [str(repository / "src"), str(repository / ".venv"), "/usr/lib"]
    monkeypatch.setattr(sys, "path", list(before))
    monkeypatch.setenv("RUNNER_CODE", "")
    CodePlan(str(other), str(repository), str(other)).use()
    assert sys.path == [str(other / "src"), *before[1:], str(other)]


def test_a_step_of_ones_own_comes_from_the_commit_too(program: Program) -> None:
    made = Repository(program.folder)
    made.commit("quiet", step="def go(batch): pass\n")
    made.commit("loud", step="def go(batch): raise ValueError('loud')\n")
    words = ["consumer=function", "consumer.function=step:go", "consumer.batch=2", "task=pillow", *SMALL[2:]]
    assert program(*words, "code=loud,quiet", "-m").returncode == 1
    records = records_in(program.folder)
    assert records["code=quiet"]["status"] == "ok"
    assert "ValueError: loud" in records["code=loud"]["error"]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_leaves_no_work_tree(program: Program, marker: str, number: signal.Signals) -> None:
    made = Repository(program.folder)
    made.commit("slow", mine="import time\n\ndef f(data):\n    time.sleep(0.05)\n    return data[:9]\n")
    process = started(program, marker, *SMALL[:4], "images=100000", "protocol=once", "tracking=none", "code=slow", "-m")
    wait_for("a work tree", lambda: len(made.work_trees()) == 2, process)
    checked_out = Path(made.work_trees()[1])
    wait_for("a trial", lambda: list(program.folder.glob("outputs/sweeps/*/*/0/runner.log")), process)
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert made.work_trees() == [str(program.folder)]
    assert not checked_out.parent.exists()


def test_a_record_from_a_stranger_has_no_commit_checked_out_that_is_not_allowed(
    program: Program, repository: Repository
) -> None:
    assert program(*SMALL, "code=first").returncode == 0
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    commit = repository.git("rev-parse", "first")
    refused = program("rerun", str(folder))
    assert refused.returncode == 1
    (asked,) = (line for line in refused.stderr.splitlines() if line.startswith("  import   code="))
    assert commit in asked  # in quotes, where it begins with a digit
    assert "--allow import" in refused.stderr
    again = program("rerun", str(folder), "--allow", "import", "tracking=none")
    assert again.returncode == 0, again.stderr
    assert "same results" in again.stdout or "the same" in again.stdout
    named = program("rerun", str(folder), "task.function=mine:f", "code=second", "tracking=none")
    assert named.returncode == 0, named.stderr


def test_a_record_whose_commit_is_not_in_the_repository_here_is_refused_with_its_name(
    program: Program, repository: Repository
) -> None:
    assert program(*SMALL, "code=first").returncode == 0
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    commit = repository.git("rev-parse", "first")
    shutil.rmtree(program.folder / ".git")
    Repository(program.folder).commit("other", mine=FIRST)
    refused = program("rerun", str(folder), "--allow", "import", "tracking=none")
    assert refused.returncode == 1
    assert f"code={commit}: is no commit of the repository" in refused.stderr


def test_the_two_sides_of_a_gate_can_be_two_commits(program: Program, repository: Repository) -> None:
    words = [*SMALL[:4], "tracking=none", "monitor=off", "protocol.max_rounds=2"]
    answer = program("gate", *words, "--old", "code=first", "--new", "code=second", "--json", "gate.json")
    assert answer.returncode in {0, 1, 3}, answer.stderr
    assert set(records_in(program.folder)) == {"code=first", "code=second"}
    assert repository.work_trees() == [str(program.folder)]


def test_a_hook_of_the_repository_does_not_run_when_a_commit_is_checked_out(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    made = Repository(folder)
    made.commit("first", mine=FIRST)
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path / 'has-run'}\n")
    hook.chmod(0o755)
    checked_out = checkout(commit_of("first", folder))
    assert (checked_out / "mine.py").read_text() == FIRST
    remove_checkouts()
    assert not checked_out.exists()
    assert not (tmp_path / "has-run").exists()
    assert made.work_trees() == [str(folder)]


def test_a_commit_is_known_by_all_of_its_hash_from_a_folder_below_the_repository_too(tmp_path: Path) -> None:
    made = Repository(tmp_path)
    below = tmp_path / "below"
    below.mkdir()
    commit = made.commit("first", mine=FIRST)
    found = commit_of("first", below)
    assert (found.hash, found.repository, found.below) == (commit, tmp_path, "below/")
    with pytest.raises(ConfigurationError, match="code=nothing: is no commit"):
        commit_of("nothing", below)


def test_the_default_is_the_files_as_they_are() -> None:
    assert Config.__dataclass_fields__["code"].default is None
