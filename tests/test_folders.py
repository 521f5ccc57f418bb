"""A folder belongs to one program at a time, and holds one record."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support import small_sweep
from support.program import Program
from support.small_sweep import WORDS, record_of

from runner.host.claim import claim, give_back

pytestmark = pytest.mark.slow

RUN = [*small_sweep.RUN, "protocol=once", "tracking=none"]


def test_a_second_run_into_a_folder_with_a_record_is_refused_and_the_record_is_as_it_was(program: Program) -> None:
    assert program(*RUN, "hydra.run.dir=here").returncode == 0
    before = (program.folder / "here" / "result.json").read_bytes()
    answer = program(*RUN, "hydra.run.dir=here")
    assert answer.returncode == 1
    assert "hydra.run.dir=" in answer.stderr
    assert "holds the record of another run already" in answer.stderr
    assert "resume=here" in answer.stderr
    assert (program.folder / "here" / "result.json").read_bytes() == before
    assert program("verify", "here").returncode == 0


def test_a_second_sweep_into_a_folder_with_a_record_is_refused_and_the_first_can_be_resumed(program: Program) -> None:
    assert program(*WORDS, "hydra.sweep.dir=here", "-m").returncode == 0
    before = record_of(program.folder / "here")
    answer = program(*RUN, "workers=1,2", "hydra.sweep.dir=here", "-m")
    assert answer.returncode == 1
    assert answer.stderr.startswith("hydra.sweep.dir=")
    assert record_of(program.folder / "here") == before
    assert program("resume=here").returncode == 0
    assert record_of(program.folder / "here") == before


@pytest.mark.parametrize("words", [[*RUN, "hydra.run.dir=here"], [*WORDS, "hydra.sweep.dir=here", "-m"]])
def test_a_folder_in_which_another_program_works_is_refused_and_the_program_is_named(
    program: Program, words: list[str]
) -> None:
    folder = program.folder / "here"
    claim(folder, "folder", print)
    try:
        answer = program(*words)
    finally:
        give_back(folder)
    assert answer.returncode == 1
    assert f"another program is working in this folder: pid {os.getpid()} of" in answer.stderr
    assert not folder.exists()
    assert program(*words).returncode == 0


def test_two_programs_cannot_resume_one_sweep_at_once(program: Program) -> None:
    folder = program.folder / "here"
    assert program(*WORDS, "hydra.sweep.dir=here", "-m").returncode == 0
    path = folder / "0" / "result.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "trials": record["trials"][:1], "status": "running"}))
    before = path.read_bytes()
    claim(folder, "folder", print)
    try:
        answers = [program("resume=here"), program("gather", "here")]
    finally:
        give_back(folder)
    assert [answer.returncode for answer in answers] == [1, 1]
    assert all("another program is working in this folder" in answer.stderr for answer in answers)
    assert path.read_bytes() == before


def test_a_folder_is_free_again_when_it_is_given_back_and_nothing_is_left_of_the_claim(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    for _ in range(2):
        claim(folder, "folder", print)
        assert [path.name for path in folder.iterdir()] == [".lock"]
        give_back(folder)
        assert not folder.exists()


def test_a_lock_that_a_killed_program_left_keeps_nobody_out(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    claim(tmp_path, "folder", print)
    give_back(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("as it was")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / ".lock").symlink_to(tmp_path / "victim")
    said: list[str] = []
    claim(folder, "folder", said.append)
    give_back(folder)
    assert "no lock can be taken here" in said[0]
    assert (tmp_path / "victim").read_text() == "as it was"
