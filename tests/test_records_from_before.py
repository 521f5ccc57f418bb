"""Records of older versions are read, compared, synced and run again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.points import point
from support.program import Program
from support.records import OLD

from runner.analysis.scaling import laws
from runner.commands.compare import compare, read_points
from runner.config.options import Sequential
from runner.record.reading import name_of, read_result, read_sweep, records_below, workers_of
from runner.tracking.note import point_note


def test_a_lone_sequential_point_has_the_same_name_everywhere(tmp_path: Path) -> None:
    (compared,) = read_points([OLD / "0"])
    (recorded,) = records_below(OLD / "0")
    assert compared.label == point(tmp_path / "point", mode=Sequential(), workers=15).name == "sequential"
    assert getattr(recorded, "label", None) == "sequential"


def test_a_record_that_is_older_than_names_gets_the_one_that_it_would_have() -> None:
    for folder, name, workers in (("0", "sequential", 1), ("1", "thread-w2", 2)):
        record = read_result(OLD / folder / "result.json")
        del record["name"]
        assert (name_of(record), workers_of(record)) == (name, workers)
    record["config"]["mode"] = {"name": "process", "threads_per_worker": 3}
    assert name_of(record) == "process-w2x3"


def test_the_note_in_mlflow_says_that_a_sequential_point_has_one_worker() -> None:
    record = read_result(OLD / "0" / "result.json")
    assert record["config"]["workers"] == 2
    assert point_note(record, [], OLD).startswith("**sequential × 1**")


def test_sequential_points_have_one_worker_so_that_no_scaling_law_is_fitted_to_them() -> None:
    sweep = read_sweep(OLD)
    points = []
    for workers in (1, 2, 4, 8):
        point_ = read_sweep(OLD).measured[0]
        point_.record["config"]["workers"] = workers
        points.append(point_)
    assert sweep.measured[0].record["config"]["mode"]["name"] == "sequential"
    assert laws(points) == {}


@pytest.fixture
def old(program: Program) -> Path:
    """A copy of a sweep that an earlier version has measured."""
    return Path(shutil.copytree(OLD, program.folder / "old"))


def test_a_record_from_before_is_compared_and_reported(old: Path, program: Program) -> None:
    points = read_points([old])
    assert [point_.label for point_ in points] == ["sequential", "thread-w2"]
    assert {row["point"] for row in compare(points, points[0])} == {"thread-w2"}
    for words in (
        ["compare", "old"],
        ["report", "old"],
        ["report", "--terminal", "old/1"],
        ["recommend", "old"],
        ["trace", "old/1"],
    ):
        answer = program(*words)
        assert answer.returncode == 0, answer.stderr
    assert (old / "report.html").is_file()
    assert (old / "1" / "trace.json").is_file()


def test_a_record_from_before_is_brought_into_mlflow_once(old: Path, program: Program) -> None:
    for said in ("3 runs written", "was there already"):
        answer = program("sync", str(old))
        assert answer.returncode == 0, answer.stderr
        assert said in answer.stdout


def test_a_record_from_before_is_run_again(old: Path, program: Program) -> None:
    answer = program("rerun", "old/1", "tracking=none", "protocol=once")
    assert answer.returncode == 0, answer.stderr
    (repeated,) = program.folder.glob("outputs/runs/*/*/rerun.json")
    (outcome,) = json.loads(repeated.read_text())["points"]
    assert outcome["same_results"] is True
