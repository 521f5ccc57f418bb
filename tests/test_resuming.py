"""What a resumed run or sweep says, sets aside, tries again and goes on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from support import small_sweep
from support.made_records import killed, written_trial
from support.photos import photo
from support.points import Silent, point
from support.program import Program
from support.small_sweep import WORDS, rows_of
from support.stores import runs_at

from runner.config.options import Protocol
from runner.errors import StorageError
from runner.record.reading import read_result, records_below
from runner.sweeps.resuming import restore, resume
from runner.sweeps.session import Session

RUN = [*small_sweep.RUN, "protocol=quick", "protocol.rounds=3"]


def changed(folder: Path, **changes: Any) -> dict[str, Any]:
    """The record of the point in the folder with these changes, which is written."""
    path = folder / "result.json"
    record: dict[str, Any] = json.loads(path.read_text())
    record |= changes
    path.write_text(json.dumps(record))
    return record


def cut_short(folder: Path, rounds: int) -> dict[str, Any]:
    """As if the program had been killed after so many rounds."""
    return changed(folder, status="running", trials=json.loads((folder / "result.json").read_text())["trials"][:rounds])


@pytest.fixture
def swept(program: Program) -> Path:
    """A sweep of two points whose last round was not run."""
    photo(program.folder / "photos" / "a.jpg")
    photo(program.folder / "photos" / "b.jpg", (41, 30))
    answer = program(*WORDS, "source=folder", "source.path=photos", "hydra.sweep.dir=sweep", "-m")
    assert answer.returncode == 0, answer.stderr
    for name in ("0", "1"):
        cut_short(program.folder / "sweep" / name, 1)
    return program.folder / "sweep"


@pytest.mark.slow
def test_rounds_with_other_images_are_set_aside_and_measured_again(program: Program, swept: Path) -> None:
    photo(program.folder / "photos" / "b.jpg", (42, 30))
    answer = program("resume=sweep")
    assert answer.returncode == 0, answer.stderr
    assert "2 images and is 2 images, 1 of them other" in answer.stdout.replace("\n", " ")
    for name in ("0", "1"):
        trials = json.loads((swept / name / "result.json").read_text())["trials"]
        assert [trial["round"] for trial in trials] == [0, 1]
        assert len({trial["session"] for trial in trials}) == 1
        assert len(rows_of(swept / name)) == len(set(rows_of(swept / name))) == 8
        aside = swept / name / "set_aside" / "1"
        assert len(read_result(aside / "result.json")["trials"]) == 1
        assert len(rows_of(aside)) == 8  # of both rounds, as it had been
    records = records_below(program.folder)  # what was set aside is none of them
    assert [record.folder for record in records] == [swept]


@pytest.mark.parametrize(
    ("change", "said", "differs"),
    [
        ({"host": "elsewhere"}, "host was elsewhere and is", True),
        ({"packages": {"pillow": "1.0"}}, "packages pillow was 1.0 and is", True),
        ({"git": {"commit": "0" * 40, "dirty": False}}, "git commit was 0000", False),
        ({}, "", False),
    ],
)
def test_trials_of_another_host_or_version_are_set_aside_and_what_differs_is_said(
    tmp_path: Path, change: dict[str, Any], said: str, differs: bool
) -> None:
    subject = point(tmp_path / "point", protocol=Protocol(rounds=3))
    subject.trials = [written_trial(0)]
    subject.write()
    before = json.loads((subject.folder / "result.json").read_text())["environment"]
    changed(subject.folder, environment=before | change)
    lines: list[str] = []
    back = point(tmp_path / "point", protocol=Protocol(rounds=3))
    resume([back], lines.append)
    assert len(back.trials) == (0 if differs else 1)
    assert (said in " ".join(lines)) if said else not lines
    assert (subject.folder / "set_aside").exists() is differs
    if differs:
        assert len(read_result(subject.folder / "set_aside" / "1" / "result.json")["trials"]) == 1
        assert json.loads((subject.folder / "set_aside" / "1" / "differences.json").read_text())


@pytest.mark.slow
def test_a_single_run_that_was_cut_short_says_so_everywhere_and_is_resumed(program: Program) -> None:
    answer = program(*RUN, "tracking=none", "hydra.run.dir=run")
    assert answer.returncode == 0, answer.stderr
    before = cut_short(program.folder / "run", 1)
    assert "The run was cut short after 1 of 3 rounds." in program("report", "--terminal", "run").stdout
    store = f"sqlite:///{program.folder}/mlflow.db"
    assert "was cut short after 1 of 3 rounds" in program("sync", "run", "--uri", store).stdout
    (run,) = runs_at(store)
    assert run["status"] == "KILLED"
    assert run["tags"]["cut_short"] == "cut short after 1 of 3 rounds"
    answer = program("resume=run")
    assert answer.returncode == 0, answer.stderr
    after = read_result(program.folder / "run" / "result.json")
    assert (after["status"], after["id"]) == ("ok", before["id"])
    assert after["trials"][:1] == before["trials"]
    assert len(after["trials"]) == 3
    assert len(set(rows_of(program.folder / "run"))) == len(rows_of(program.folder / "run"))
    assert program("sync", "run", "--uri", store).returncode == 0
    assert [run["status"] for run in runs_at(store)] == ["FINISHED"]


@pytest.mark.slow
def test_a_point_of_a_sweep_is_not_resumed_by_itself(program: Program, swept: Path) -> None:
    answer = program("resume=sweep/0")
    assert answer.returncode == 1
    assert "is the folder of one point of a sweep" in answer.stderr


def test_a_record_says_running_until_all_rounds_are_run(tmp_path: Path) -> None:
    subject = point(tmp_path / "point", protocol=Protocol(rounds=3))

    def measure(subject: Any, place: Any, *_: object) -> Any:
        if place.round == 2 and not resumed:
            raise StorageError(tmp_path, OSError("the disk is gone"))
        subject.trials.append(written_trial(place.round))
        subject.write()
        return subject.trials[-1]

    resumed = False
    supervisor: Any = type("Idle", (), {"warm": lambda *_, **__: None})()
    with pytest.raises(StorageError):
        Session([subject], 0, Silent(), supervisor, measure=measure).run()
    assert read_result(subject.folder / "result.json")["status"] == "running"
    resumed = True
    again = point(tmp_path / "point", protocol=Protocol(rounds=3))
    resume([again], lambda _: None)
    Session([again], 0, Silent(), supervisor, measure=measure).run()
    record = read_result(subject.folder / "result.json")
    assert (record["status"], len(record["trials"])) == ("ok", 3)


@pytest.mark.parametrize(
    ("kind", "message", "again"),
    [
        ("TrialKilled", "the trial (pid 7) was killed by SIGKILL", True),
        ("TrialKilled", "worker 1 was killed by SIGTERM", True),
        ("ForkServerEnded", "the fork server was ended, and the trial with it", True),
        ("StorageError", "/x/.records: cannot be written: the disk is full", True),
        ("ImagesReplaced", "images were replaced while it was measured: a.jpg", True),
        ("TrialKilled", "the trial (pid 7) was killed by SIGSEGV", False),
        ("TrialKilled", "worker 1 was killed by SIGABRT", False),
        ("ValueError", "no", False),
        ("TrialTimeout", "the trial was not done after 3 s", False),
    ],
)
def test_what_was_ended_from_outside_is_tried_again_and_what_went_wrong_by_itself_is_not(
    tmp_path: Path, kind: str, message: str, again: bool
) -> None:
    subject = point(tmp_path / "point", protocol=Protocol(rounds=3))
    failed = killed(written_trial(1))
    failed["error"] = {"type": kind, "message": message, "traceback": None}
    subject.trials = [written_trial(0), failed]
    subject.write()
    said: list[str] = []
    back = point(tmp_path / "point", protocol=Protocol(rounds=3))
    resume([back], said.append)
    assert [trial["round"] for trial in back.trials] == ([0] if again else [0, 1])
    assert back.has_failed is not again
    assert any("is tried again" in line for line in said) is again


def test_a_record_that_was_half_set_aside_is_set_aside_to_the_end(tmp_path: Path) -> None:
    subject = point(tmp_path / "point", protocol=Protocol(rounds=3))
    subject.trials = [written_trial(0)]
    subject.write()
    changed(subject.folder, environment=read_result(subject.folder / "result.json")["environment"] | {"host": "elsewhere"})
    aside = subject.folder / "set_aside" / "1"
    aside.mkdir(parents=True)
    (aside / "samples.csv").write_text("moved before the program was killed\n")
    back = point(tmp_path / "point", protocol=Protocol(rounds=3))
    resume([back], lambda _: None)
    assert {path.name for path in aside.iterdir()} == {"samples.csv", "result.json", "differences.json"}
    assert restore(point(tmp_path / "point")) is None
    shutil.rmtree(aside)
