"""``images=auto``: one number for all points, found before the first trial and written down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.composing import composed
from support.photos import photo
from support.points import point
from support.program import Program
from support.stores import sweep_in

from runner.config.options import Folder, NoSink, Pillow, Process, Protocol
from runner.errors import ConfigurationError, TrialError
from runner.record.reading import read_point, read_sweep_json
from runner.sweeps.images import settle_as_recorded, settled_images
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Outcome, Supervisor


class Looks(Supervisor):
    """Counts the looks, which all fail."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[TrialPlan] = []

    def execute(self, plan: TrialPlan, *_: object) -> Outcome:
        self.plans.append(plan)
        return Outcome(None, TrialError("no"), ())


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("auto"))
    words = [
        "mode=sequential,thread",
        "workers=1",
        "task=pillow",
        "protocol=quick",
        "protocol.rounds=1",
        "protocol.epoch_s=0.1",
        "tracking=none",
    ]
    answer = program(*words, "-m")
    assert answer.returncode == 0, answer.stderr
    return program


def test_all_points_have_the_number_that_was_found_and_the_records_say_so(swept: Program) -> None:
    record = read_sweep_json(sweep_in(swept.folder) / "sweep.json")
    number = record["images_per_epoch"]
    assert number
    points = [read_point(sweep_in(swept.folder) / one["folder"]) for one in record["points"]]
    for one in points:
        assert one is not None
        assert one.record["config"]["images"] == number
        assert {trial["epochs"][0]["images_ok"] for trial in one.record["trials"]} == {number}
        assert len(one.record["trials"]) == 1  # the looks are on no record


def test_a_sweep_that_is_resumed_keeps_the_number(swept: Program, tmp_path: Path) -> None:
    program = Program(tmp_path)
    shutil.copytree(swept.folder / "outputs", tmp_path / "outputs")
    folder = sweep_in(tmp_path)
    before = json.loads((folder / "sweep.json").read_text())
    shutil.rmtree(folder / "1")
    answer = program(f"resume={folder}")
    assert answer.returncode == 0, answer.stderr
    after = json.loads((folder / "sweep.json").read_text())
    assert after["images_per_epoch"] == before["images_per_epoch"]
    assert after["points"][1]["config_hash"] == before["points"][1]["config_hash"]


def test_a_number_that_is_given_is_taken_and_no_look_is_had(tmp_path: Path) -> None:
    looks = Looks()
    assert settled_images([point(tmp_path / "one", images=7)], looks, print) is None
    assert not looks.plans


def test_the_likely_fastest_of_each_mode_is_looked_at_and_nothing_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [point(tmp_path / f"t{workers}", images="auto", workers=workers, task=Pillow()) for workers in (1, 2, 40)]
    points += [
        point(tmp_path / f"p{workers}", images="auto", workers=workers, mode=Process(), task=Pillow()) for workers in (2, 40)
    ]
    looks = Looks()
    found = settled_images(points, looks, print)
    assert len(looks.plans) == 2
    assert {plan.mode.workers for plan in looks.plans} != {40}
    assert {type(plan.mode.pipeline.sink) for plan in looks.plans} == {NoSink}
    assert found == 40  # no less than there are workers, whatever was found
    assert {one.config.images for one in points} == {40}


def test_without_a_record_of_a_number_there_is_none_to_keep(tmp_path: Path) -> None:
    one = point(tmp_path / "one", images="auto")
    settle_as_recorded([one], tmp_path)
    assert one.config.images == "auto"


@pytest.mark.parametrize("given", ["many", "0"])
def test_anything_else_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"images|auto"):
        composed(f"images={given}")


def test_a_notebook_keeps_its_fifteen() -> None:
    assert composed("experiment=notebook").images == 15
    assert composed().images == "auto"
    assert Protocol().epoch_s == 0.5


def test_a_folder_with_more_images_than_an_epoch_takes_says_so(tmp_path: Path) -> None:
    photo(tmp_path / "many" / "0.jpg")
    for other in range(1, 40):
        shutil.copy(tmp_path / "many" / "0.jpg", tmp_path / "many" / f"{other}.jpg")
    told: list[str] = []
    one = point(tmp_path / "0", source=Folder(path=str(tmp_path / "many")), images="auto")
    number = settled_images([one], Looks(), told.append)
    assert number is not None
    assert number < 40
    assert told[-1] == f"Note: an epoch takes the first {number} of the 40 images of source=folder; images=40 takes all"
    for enough in (40, 50):
        told.clear()
        settled_images([point(tmp_path / "1", source=Folder(path=str(tmp_path / "many")), images=enough)], Looks(), told.append)
        assert told == []
