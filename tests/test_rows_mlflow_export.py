"""Rows in MLflow, and exported by the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.rows_cases import IMAGES, as_an_older_version, text_of

from runner.record import parquet
from runner.record.reading import PointRecord
from runner.record.writing import PointFolder
from runner.tracking.content import Artifact, point_content


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two points that was really run, of which MLflow has never heard."""
    program = Program(tmp_path_factory.mktemp("recorded"))
    answer = program("mode=thread", "workers=1,2", "images=6", "protocol=quick", "task=pillow", "tracking=none", "-m")
    assert answer.returncode == 0, answer.stderr
    (sweep,) = program.folder.glob("outputs/sweeps/*/*")
    return sweep


def point_of(recorded: Path, **tracking: Any) -> PointRecord:
    rows_folder = recorded / "0"
    record = json.loads((rows_folder / "result.json").read_text())
    record["config"]["tracking"] |= tracking
    return PointRecord(rows_folder, record, "thread-w1", [])


def test_mlflow_gets_the_rows_once_in_a_folder_of_their_own(recorded: Path) -> None:
    content = point_content(point_of(recorded), None)
    of_rows = [file for file in content.files if file.path.suffix in {".parquet", ".csv"} and file.path.name != "samples.csv"]
    assert of_rows == [Artifact(path, "images") for path in parquet.files_in(recorded / "0").values()]
    assert len(of_rows) == 3
    assert "images" not in content.tags
    assert "not among the artifacts" not in content.tags["mlflow.note.content"]


@pytest.mark.parametrize("older", [False, True], ids=["parquet", "images.csv"])
def test_rows_that_are_too_large_for_mlflow_stay_where_the_note_says(recorded: Path, tmp_path: Path, older: bool) -> None:
    subject = point_of(recorded, max_artifact_mb=0.001)
    where = recorded / "0" / "images"
    if older:
        where = tmp_path / "images.csv"
        where.write_text(text_of(recorded / "0"))
        subject = PointRecord(tmp_path, subject.record, subject.label, [])
    content = point_content(subject, None)
    assert not any(file.folder == "images" or file.path.name == "images.csv" for file in content.files)
    note = content.tags["mlflow.note.content"]
    assert "MB, more than `tracking.max_artifact_mb=0.001`" in note
    assert f"`{where}`" in note
    assert content.tags["images"] == str(where)


def test_records_that_know_no_limit_have_the_one_of_today(recorded: Path) -> None:
    subject = point_of(recorded)
    del subject.record["config"]["tracking"]["max_artifact_mb"]
    assert any(file.folder == "images" for file in point_content(subject, None).files)


def test_the_rows_of_every_point_of_a_sweep_are_exported(recorded: Path, program: Program) -> None:
    answer = program("export", str(recorded), "--csv")
    assert answer.returncode == 0, answer.stderr
    for name in ("0", "1"):
        assert (recorded / name / "images.csv").read_text() == text_of(recorded / name)
        assert len(list((recorded / name).glob("images.csv"))) == len(list((recorded / name).glob(".images.csv*"))) + 1
        (recorded / name / "images.csv").unlink()


def test_rows_go_to_a_file_or_to_standard_output(rows_folder: Path, program: Program) -> None:
    printed = program("export", str(rows_folder), "--csv", "--output", "-")
    assert (printed.returncode, printed.stdout) == (0, text_of(rows_folder))
    written = program("export", str(rows_folder), "--csv", "--output", "rows.csv")
    assert "rows.csv" in written.stdout
    assert (program.folder / "rows.csv").read_text() == text_of(rows_folder)
    assert not (rows_folder / "images.csv").exists()


def test_an_older_record_is_text_already(rows_folder: Path, program: Program) -> None:
    as_an_older_version(rows_folder)
    before = (rows_folder / "images.csv").read_bytes()
    answer = program("export", str(rows_folder), "--csv")
    assert answer.returncode == 0
    assert "is there already" in answer.stdout
    assert (rows_folder / "images.csv").read_bytes() == before


def test_what_cannot_be_exported_is_refused_in_one_message(recorded: Path, rows_folder: Path, program: Program) -> None:
    several = program("export", str(recorded), "--csv", "--output", "rows.csv")
    (program.folder / "empty").mkdir()
    nothing = program("export", "empty", "--csv")
    PointFolder(rows_folder).write_images(0, None, IMAGES)
    PointFolder(rows_folder).write_images(1, None, IMAGES)
    no_rows = program("export", str(rows_folder), "--csv")
    nowhere = program("export", str(recorded / "0"), "--csv", "--output", "nowhere/rows.csv")
    assert [answer.returncode for answer in (several, nothing, no_rows, nowhere)] == [1] * 4
    assert "takes the rows of one point" in several.stderr
    assert "holds no record of a point (result.json)" in nothing.stderr
    assert "holds no rows of images" in no_rows.stderr
    assert "there is no folder nowhere" in nowhere.stderr
    assert all("Traceback" not in answer.stderr for answer in (several, nothing, no_rows, nowhere))


def test_nothing_of_arrow_is_imported_before_there_are_rows() -> None:
    code = (
        "import sys; import runner.commands.dispatch, runner.sweeps.execute, runner.tracking.content, runner.commands.export; "
        "print([name for name in sys.modules if name in ('pyarrow', 'pandas')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
