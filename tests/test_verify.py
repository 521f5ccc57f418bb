"""``runner verify`` holds a record against its manifest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.program import Program
from support.records import OLD
from support.small_sweep import WORDS

from runner.commands.verify import _verified
from runner.errors import RunnerError
from runner.record.manifest import MANIFEST, deviations, write_manifest
from runner.record.reading import records_below


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A folder with a record, and a manifest."""
    folder = tmp_path / "record"
    (folder / "0" / "images").mkdir(parents=True)
    for name in ("sweep.json", "0/result.json", "0/images/round-00000.parquet", "0/runner.log"):
        (folder / name).write_text(f"the content of {name}")
    write_manifest(folder)
    return folder


def test_what_is_as_it_was_written_is_said_to_be(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _verified(record)
    assert capsys.readouterr().out == f"{record}: every file is as it was written\n"


def test_each_file_that_is_missing_changed_or_added_is_named(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (record / "0" / "runner.log").unlink()
    (record / "0" / "result.json").write_text("the content of 0/result.jsoN")  # as long as it was
    (record / "0" / "images" / "round-00001.parquet").write_text("more")
    (record / "0" / "images" / "round-00000.parquet").unlink()
    (record / "0" / "images" / "round-00000.parquet").symlink_to(record / "sweep.json")
    assert not _verified(record)
    assert capsys.readouterr().out.splitlines() == [
        f"{record}: missing: 0/runner.log",
        f"{record}: changed: 0/result.json",
        f"{record}: changed: 0/images/round-00000.parquet",
        f"{record}: added: 0/images/round-00001.parquet",
    ]


@pytest.mark.parametrize("name", [".lock", ".records", ".result.json.abcd1234"])
def test_what_a_killed_program_left_is_no_part_of_a_record(record: Path, name: str) -> None:
    (record / name).touch()
    assert not deviations(record)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "0/../../outside"])
def test_a_manifest_names_nothing_outside_of_its_folder(record: Path, name: str) -> None:
    manifest = json.loads((record / MANIFEST).read_text())
    manifest["files"][name] = manifest["files"]["sweep.json"]
    (record / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(RunnerError, match="is no place in its folder"):
        deviations(record)


@pytest.mark.parametrize("content", ["", "[]", '{"schema_version": 1, "files": {"a": {"bytes": 1, "sha256": "x"}}}'])
def test_a_damaged_manifest_is_refused_in_words(record: Path, content: str) -> None:
    (record / MANIFEST).write_text(content)
    with pytest.raises(RunnerError, match=r"manifest\.json: is not a record of this program"):
        deviations(record)


@pytest.mark.slow
def test_a_record_from_before_there_were_manifests_is_said_to_be_one(program: Program) -> None:
    shutil.copytree(OLD, program.folder / "old")
    answer = program("verify", "old")
    assert answer.returncode == 1
    assert answer.stdout.count("has no manifest.json, so nothing can be told") == len(records_below(program.folder / "old"))


@pytest.mark.slow
def test_the_commands_that_write_into_a_record_leave_it_whole(program: Program) -> None:
    answer = program(*WORDS, "-m")
    assert answer.returncode == 0, answer.stderr
    (folder,) = program.folder.glob("outputs/sweeps/*/*")
    before = (folder / "report.html").read_bytes()
    words = [
        ["report", str(folder)],
        ["export", str(folder), "--csv"],
        ["trace", str(folder / "0"), "--round", "1"],
        ["gather", str(folder)],
    ]
    for verb in words:
        answer = program(*verb)
        assert answer.returncode == 0, answer.stderr
        answer = program("verify", "outputs")
        assert answer.returncode == 0, f"{verb}: {answer.stdout}"
    (folder / "report.html").write_bytes(before + b" ")
    answer = program("verify", "outputs")
    assert answer.returncode == 1
    assert f"{folder}: changed: report.html" in answer.stdout
