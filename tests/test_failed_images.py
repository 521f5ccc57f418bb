"""Images that fail are seen: counted in the tables, their reasons grouped, their files named; too many of them fail the point."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.made_records import good_trial
from support.photos import photo
from support.points import measured
from support.program import Program

from runner.config.options import Execution, Folder, Pillow, Protocol, Tensorflow
from runner.display.progress import LineDisplay
from runner.pipeline.hot_path import describe
from runner.record.failures import failed_images, in_words
from runner.record.trial_schema import TrialRecord
from runner.report.subject import read_subject
from runner.report.tables import of_points
from runner.trial.supervisor import Supervisor

ONCE = ("protocol=once", "tracking=none", "task=pillow", "workers=1", "images=4", "source=folder", "source.path=photos")


def photos(folder: Path, good: int, bad: int) -> Path:
    for number in range(good):
        photo(folder / f"good_{number}.jpg")
    for number in range(bad):
        path = folder / f"bad_{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"this is no image")
    return folder


def test_alike_reasons_are_one_group_with_its_files() -> None:
    errors = {
        f"/photos/{name}.png": f"OSError: /photos/{name}.png ends at byte {len(name) * 100}" for name in ("a", "bb", "ccc", "d")
    }
    groups = failed_images([errors, {"/photos/e.png": "ValueError: bad"}, {"/photos/a.png": "another of the same file"}])
    assert [(group["files"], group["examples"][0]) for group in groups] == [(4, "/photos/a.png"), (1, "/photos/e.png")]
    assert in_words(groups) == (
        "4 files: OSError: /photos/a.png ends at byte 100 (a.png, bb.png, ccc.png, ...); 1 file: ValueError: bad (e.png)"
    )


def test_many_kinds_of_reasons_are_summed_up() -> None:
    groups = failed_images(
        [{f"{word}.jpg": f"ValueError: {word}" for word in ("one", "two", "three", "four", "five", "six", "seven")}]
    )
    assert in_words(groups).endswith("; 2 files for other reasons")


def test_names_and_reasons_cannot_forge_lines() -> None:
    groups = failed_images([{"/photos/a\nround 1: ok.jpg": "ValueError: bad\x1b[2J"}])
    assert in_words(groups) == "1 file: ValueError: bad\\x1b[2J (a\\nround 1: ok.jpg)"


@pytest.mark.parametrize(
    "text",
    [
        "{{function_node __wrapped__DecodeImage_device_/job:localhost/replica:0/task:0/device:CPU:0}} Unknown format. [Op:DecodeImage]",
        "{{function_node __wrapped__Decode_device_/job:x}} Unknown format. [Op:Decode] name: decode",
        (
            'Graph execution error:\n\nDetected at node Decode defined at (most recent call last):\n  File "a.py", line 1\n\nUnknown format.\n\t '
            "[[{{node Decode}}]] [Op:__inference_pipeline_37]"
        ),
        "Unknown format.",
    ],
)
def test_of_tensorflows_message_the_reason_is_left(text: str) -> None:
    assert describe(ValueError(text)) == "ValueError: Unknown format."


def test_an_error_without_a_text_is_its_type() -> None:
    assert describe(ValueError()) == "ValueError"
    assert describe(ValueError("\n\n")) == "ValueError"


@pytest.mark.parametrize("execution", list(Execution))
def test_tensorflows_own_errors_come_out_as_their_reason(tmp_path: Path, supervisor: Supervisor, execution: Execution) -> None:
    source = Folder(path=str(photos(tmp_path / "photos", good=2, bad=1)))
    subject = measured(tmp_path, supervisor, source=source, task=Tensorflow(execution=execution))
    (trial,) = subject.trials
    ((path, reason),) = trial["image_errors"].items()
    assert Path(path).name == "bad_0.jpg"
    assert reason.startswith("InvalidArgumentError: Unknown image file format")


def test_a_point_with_a_failed_image_says_so_everywhere(tmp_path: Path, program: Program) -> None:
    photos(tmp_path / "photos", good=3, bad=1)
    answer = program(*ONCE, "hydra.run.dir=outputs/a")
    assert answer.returncode == 0, answer.stderr
    words = "1 file: UnidentifiedImageError: cannot identify image file"
    assert words in answer.stderr  # at once
    assert "1 of 4 images of an epoch failed: " + words in answer.stdout
    assert "(bad_0.jpg)" in answer.stdout
    record = json.loads((tmp_path / "outputs/a/result.json").read_text())
    (group,) = record["failed_images"]
    assert (group["files"], [Path(path).name for path in group["examples"]]) == (1, ["bad_0.jpg"])
    assert "images_failed" in [warning["kind"] for warning in record["warnings"]]


def test_a_sweep_has_a_column_of_failed_images_only_where_there_are_any(tmp_path: Path, program: Program) -> None:
    photos(tmp_path / "photos", good=3, bad=1)
    for name, pattern, has in (("a", "*", True), ("b", "good*", False)):
        answer = program(
            *ONCE, "mode=sequential,thread", "-m", f"source.pattern='{pattern}'", f"hydra.sweep.dir=outputs/{name}"
        )
        assert answer.returncode == 0, answer.stderr
        folder = tmp_path / "outputs" / name
        everything = program("report", "--all", str(folder))
        for text in (
            answer.stdout,
            everything.stdout,
            (folder / "comparison.md").read_text(),
            (folder / "report.html").read_text(),
        ):
            assert ("1 of 4" in text) is has
        titles = [column.name for column in of_points(read_subject(folder)).columns]
        assert ("images failed" in titles) is has


def test_above_the_limit_the_point_has_failed_with_the_reasons(tmp_path: Path, program: Program) -> None:
    photos(tmp_path / "photos", good=1, bad=3)
    answer = program(*ONCE, "hydra.run.dir=outputs/a")
    assert answer.returncode == 1
    assert "TooManyFailed: 3 of 4 images failed, more than protocol.max_failed_pct=50: 3 files: Unidentified" in answer.stderr
    assert "(bad_0.jpg, bad_1.jpg, bad_2.jpg)" in answer.stderr
    record = json.loads((tmp_path / "outputs/a/result.json").read_text())
    assert (record["status"], record["metrics"], record["error"]["type"]) == ("failed", {}, "TooManyFailed")
    assert program(*ONCE, "protocol.max_failed_pct=80").returncode == 0


def test_half_of_the_images_may_fail(tmp_path: Path, supervisor: Supervisor) -> None:
    source = Folder(path=str(photos(tmp_path / "photos", good=2, bad=2)))
    assert measured(tmp_path, supervisor, source=source, images=4, task=Pillow()).status == "ok"


def test_none_may_fail_where_that_is_asked_for(tmp_path: Path, supervisor: Supervisor) -> None:
    source = Folder(path=str(photos(tmp_path / "photos", good=3, bad=1)))
    protocol = Protocol(rounds=1, epochs=1, warmup_epochs=0, max_failed_pct=0)
    assert measured(tmp_path, supervisor, source=source, images=4, task=Pillow(), protocol=protocol).status == "failed"


def test_without_a_single_good_image_the_point_has_failed_whatever_the_limit(tmp_path: Path, supervisor: Supervisor) -> None:
    source = Folder(path=str(photos(tmp_path / "photos", good=0, bad=2)))
    protocol = Protocol(rounds=1, epochs=1, warmup_epochs=0, max_failed_pct=100)
    subject = measured(tmp_path, supervisor, source=source, images=2, task=Pillow(), protocol=protocol)
    assert subject.error is not None
    assert subject.error["type"] == "NoImage"
    assert "2 files: UnidentifiedImageError" in subject.error["message"]


def test_failed_images_are_told_once_for_each_point(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay()
    trial: TrialRecord = good_trial(image_errors={"/photos/a.jpg": "ValueError: bad"})
    for name in ("one", "one", "two"):
        display.trial_starts(name, 0, 1, epochs=1, images=1)
        display.trial_ends(trial)
    assert capsys.readouterr().err.splitlines() == [
        "one: 1 file: ValueError: bad (a.jpg)",
        "two: 1 file: ValueError: bad (a.jpg)",
    ]
