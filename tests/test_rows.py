"""Every image's row: what the files hold, who reads them, and that they stay small."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support import made_records
from support.points import point
from support.program import Program
from support.rows import rows_in
from support.trials import ignore

from runner.errors import RunnerError
from runner.host.gpu import Gpus
from runner.host.usage import Usage
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import WIDTH, Records, Spooled
from runner.record import parquet, rows, trace
from runner.record.reading import PointRecord
from runner.record.rows import image_files, image_rows, images_of_trial, latencies_ms, write_csv
from runner.record.trace import write_trace
from runner.record.trial import TrialPlace
from runner.record.trial_schema import GoodTrial
from runner.record.writing import PointFolder
from runner.sweep.measuring import measured_trial
from runner.tracking.content import Artifact, point_content
from runner.trial.messages import EpochReport, Report, TrialPlan
from runner.trial.supervisor import Outcome, Supervisor

US = 1_000  # nanoseconds
RELEASED = 10**15
IMAGES = [Image("/photos/a.jpg", "jpeg", 8, 8, "0"), Image("/photos/b.jpg", "jpeg", 8, 8, "1")]


def stamped(count: int, *, failed: Mapping[int, str] | None = None, first: int = 0) -> Records:
    """Records as they come, the last item first: 50 µs apart; 3 µs and a nanosecond to read, 20 µs for the task, 2 for the sink."""
    failed, values = failed or {}, array("q")
    for item in reversed(range(first, first + count)):
        start = RELEASED + item * 50 * US
        borders = (start, start + 3 * US + 1, start + 23 * US + 1, start + 25 * US + 1)
        values.extend((item, item % 2, 0, *borders, int(item not in failed)))
    return Records(values, dict(failed))


def report(*epochs: Records, node_of: Mapping[int, str] | None = None) -> Report:
    timed = [EpochReport(RELEASED, 2 * RELEASED, 1.0, Usage(), records) for records in epochs]
    return SimpleNamespace(epochs=tuple(timed), node_of=node_of or {})  # type: ignore[return-value]


def trial(number: int, *images: int) -> GoodTrial:
    """Of this round, with an epoch for each of ``images``, which is how many images it has."""
    epochs = [
        made_records.epoch(images_ok=count, released_at=100.0 + at, images_per_s=1.0, latency_p50_s=0.1)
        for at, count in enumerate(images)
    ]
    phases = [{**Usage().record(), "name": "epoch", "at": 100.0 + at, "wall_s": 1.0} for at in range(len(images))]
    return made_records.good_trial(round=number, epochs=epochs, phases=phases)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a point with two trials of two epochs, in one of which an image fails."""
    at = tmp_path / "point"
    at.mkdir()
    for number in (0, 1):
        rows_of = report(stamped(4), stamped(4, failed={2: 'ValueError: bad,\n"very" bad'}), node_of={0: "one", 1: "two"})
        PointFolder(at).write_images(number, rows_of, IMAGES)
    trials = [trial(0, 4, 4), trial(1, 4, 4)]
    PointFolder(at).write_record(made_records.result(name="thread-w2", trials=trials, overrides=["workers=2"]))
    return at


def text_of(folder: Path) -> str:
    file = io.StringIO()
    write_csv(folder, file)
    return file.getvalue()


def as_an_older_version(folder: Path) -> None:
    """Keep the rows as ``images.csv`` alone."""
    text = text_of(folder)
    (folder / "images.csv").write_text(text, encoding="utf-8", newline="")
    for path in parquet.files_in(folder).values():
        path.unlink()
    (folder / "images").rmdir()


# ------------------------------------------------------------------------------------------------------ what is kept


def test_the_columns_have_types_and_the_schema_has_their_units(folder: Path) -> None:
    schema = pq.read_schema(folder / "images" / "round-00000.parquet")
    kinds = {field.name: str(field.type) for field in schema}
    assert tuple(kinds) == parquet.COLUMNS
    assert {kinds[name] for name in ("round", "epoch", "item", "worker", "thread")} == {"int32"}
    assert all(kinds[name].startswith("dictionary<values=string") for name in ("image", "node", "status", "error"))
    assert {kinds[name] for name in ("start_s", "read_s", "task_s", "sink_s")} == {"double"}
    units = {field.name: field.metadata.get(b"unit") for field in schema}
    assert units["start_s"] == units["read_s"] == units["task_s"] == units["sink_s"] == b"s"
    assert units["item"] == b"1"
    assert b"2**-30 s" in schema.metadata[b"times"]


def test_each_trial_has_a_file_that_no_later_trial_touches(folder: Path) -> None:
    before = (folder / "images" / "round-00000.parquet").read_bytes()
    PointFolder(folder).write_images(2, report(stamped(1)), IMAGES)
    assert [path.name for path in sorted((folder / "images").iterdir())] == [
        "round-00000.parquet", "round-00001.parquet", "round-00002.parquet",
    ]  # fmt: skip
    assert (folder / "images" / "round-00000.parquet").read_bytes() == before


def test_the_folder_is_one_frame_in_the_order_of_rounds_epochs_and_items(folder: Path) -> None:
    found = rows_in(folder)
    assert [(row["round"], row["epoch"], row["item"]) for row in found] == [
        (number, epoch, item) for number in (0, 1) for epoch in (0, 1) for item in range(4)
    ]
    assert [row["image"] for row in found[:4]] == ["a.jpg", "b.jpg", "a.jpg", "b.jpg"]
    assert [row["node"] for row in found[:2]] == ["one", "two"]
    assert [row["status"] for row in found[:8]] == ["ok"] * 6 + ["failed", "ok"]
    assert found[6]["error"] == 'ValueError: bad,\n"very" bad'
    assert pd.isna(found[5]["error"])


def test_times_are_kept_to_the_nanosecond(tmp_path: Path) -> None:
    lengths = np.random.default_rng(1).integers(1, 10**13, 1000)
    values = array("q")
    for item, length in enumerate(lengths.tolist()):
        values.extend(
            (item, 0, 0, RELEASED + length, RELEASED + length + item, RELEASED + length + item, RELEASED + 2 * length + item, 1)
        )
    PointFolder(tmp_path).write_images(0, report(Records(values)), IMAGES)
    frame = pd.read_parquet(tmp_path / "images")
    for name, expected in (("start_s", lengths), ("read_s", np.arange(1000)), ("sink_s", lengths)):
        assert np.rint(frame[name].to_numpy() * 1e9).astype(int).tolist() == expected.tolist()
        assert [f"{value:.9f}" for value in frame[name]] == [f"{value // 10**9}.{value % 10**9:09d}" for value in expected]


def test_more_rows_than_are_sorted_at_once_come_in_parts_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "SORTED_TOGETHER", 8)
    spool = tmp_path / ".records"
    with spool.open("wb") as file:
        stamped(20).values.tofile(file)  # noqa: PD011  (an array of ours)
    records = stamped(5, first=20)
    records.spooled = Spooled(str(spool), 0, 20)
    PointFolder(tmp_path).write_images(0, report(records), IMAGES)
    items = [row["item"] for row in rows_in(tmp_path)]
    assert sorted(items) == list(range(25))
    assert items[:8] == list(range(12, 20))
    assert pq.ParquetFile(parquet.file_of(tmp_path, 0)).num_row_groups == 4


def test_many_small_epochs_share_a_row_group(tmp_path: Path) -> None:
    PointFolder(tmp_path).write_images(0, report(*(stamped(2) for _ in range(100))), IMAGES)
    file = pq.ParquetFile(parquet.file_of(tmp_path, 0))
    assert (file.num_row_groups, file.metadata.num_rows) == (1, 200)


def test_a_row_takes_less_than_twenty_bytes(tmp_path: Path) -> None:
    rng, count = np.random.default_rng(0), 200_000
    start = RELEASED + np.cumsum(rng.integers(10_000, 60_000, count))
    borders = np.cumsum(
        [start, rng.integers(8_000, 12_000, count), rng.integers(20_000, 30_000, count), rng.integers(90, 400, count)], axis=0
    )
    item = np.arange(count)
    table = np.stack([item, item % 15, 0 * item, *borders, item**0], axis=1).astype(np.int64)
    PointFolder(tmp_path).write_images(0, report(Records(array("q", table.tobytes()))), IMAGES)
    assert table.shape == (count, WIDTH)
    assert parquet.file_of(tmp_path, 0).stat().st_size < 20 * count


def test_a_file_name_that_is_no_utf8_does_not_cost_the_rows(tmp_path: Path) -> None:
    PointFolder(tmp_path).write_images(0, report(stamped(1)), [Image("/photos/\udcff.jpg", "jpeg", 8, 8, "0")])
    assert [row["image"] for row in rows_in(tmp_path)] == [r"\udcff.jpg"]


# ------------------------------------------------------------------------------------------- killed, resumed, removed


def test_a_round_that_is_run_again_replaces_its_rows(folder: Path) -> None:
    PointFolder(folder).write_images(1, report(stamped(3)), IMAGES)  # as after a kill before result.json was written
    assert [row["round"] for row in rows_in(folder)] == [0] * 8 + [1] * 3


def test_a_round_that_is_run_again_and_fails_has_no_rows(folder: Path) -> None:
    PointFolder(folder).write_images(1, None, IMAGES)
    assert {row["round"] for row in rows_in(folder)} == {0}


def test_what_a_killed_writer_left_is_nobodys_row(folder: Path) -> None:
    (folder / "images" / ".round-00002.parquet.abc").write_bytes(b"PAR1")
    assert len(rows_in(folder)) == 16
    assert len(list(parquet.files_in(folder))) == 2


class Stopped(Supervisor):
    """Whose user presses Ctrl-C when a trial has written its records into a file."""

    def execute(self, plan: TrialPlan, *_: object) -> Outcome:
        assert plan.mode.spool is not None
        Path(plan.mode.spool).write_bytes(b"records")
        raise KeyboardInterrupt


def test_a_trial_that_is_interrupted_leaves_no_records_behind(tmp_path: Path) -> None:
    subject = point(tmp_path / "point")
    with pytest.raises(KeyboardInterrupt):
        measured_trial(subject, TrialPlace(0, 0, "block"), Stopped(), Gpus(), ignore)
    assert not subject.spool.exists()


def test_a_record_that_is_begun_anew_loses_its_rows(folder: Path) -> None:
    PointFolder(folder).clear()
    assert list(folder.iterdir()) == []


# ----------------------------------------------------------------------------------------------------------- readers


def test_the_exported_text_is_the_frame(folder: Path) -> None:
    frame = pd.read_parquet(folder / "images")
    text = pd.read_csv(io.StringIO(text_of(folder)))
    assert list(text.columns) == list(frame.columns)
    for name in frame.columns:
        if name.endswith("_s"):
            assert text[name].to_numpy() == pytest.approx(frame[name].to_numpy(), abs=1e-9)
        else:
            assert text[name].astype(object).fillna("").tolist() == frame[name].astype(object).fillna("").tolist()


def test_the_exported_text_has_the_lines_that_images_csv_had(folder: Path) -> None:
    lines = list(csv.reader(io.StringIO(text_of(folder))))
    assert lines[0] == list(parquet.COLUMNS)
    assert lines[2] == [
        "0",
        "0",
        "1",
        "b.jpg",
        "1",
        "0",
        "two",
        "ok",
        "0.000050000",
        "0.000003001",
        "0.000020000",
        "0.000002000",
        "",
    ]


@pytest.mark.parametrize("older", [False, True], ids=["parquet", "images.csv"])
def test_readers_see_the_same_in_records_of_either_version(folder: Path, older: bool) -> None:
    if older:
        as_an_older_version(folder)
    assert latencies_ms(folder) == pytest.approx([0.025001] * 14, abs=2e-6)
    first = images_of_trial(folder, trial(1, 4, 4), 3)
    assert [(row["round"], row["epoch"], row["item"]) for row in first] == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]
    assert (first[0]["node"], first[0]["worker"], first[2]["error"]) == ("one", 0, 'ValueError: bad,\n"very" bad')
    assert write_trace(folder, 1) == 1
    spans = [event for event in json.loads((folder / "trace.json").read_text())["traceEvents"] if event["name"] == "task"]
    assert [span["args"]["item"] for span in spans] == [0, 1, 2, 3] * 2
    assert spans[6]["args"]["error"].startswith("ValueError")
    assert len(text_of(folder).splitlines()) == 1 + 16 + 2  # two rows of the text have two lines


def test_an_older_record_that_was_gone_on_with_has_every_row_once(folder: Path) -> None:
    as_an_older_version(folder)
    PointFolder(folder).write_images(1, report(stamped(4), stamped(4)), IMAGES)
    PointFolder(folder).write_images(2, report(stamped(4), stamped(4)), IMAGES)
    numbers = [number for batch in image_rows(folder, ["round"]) for number in batch["round"].to_pylist()]
    assert numbers == [0] * 8 + [1] * 8 + [2] * 8
    assert [path.name for path in image_files(folder, [0, 1, 2])] == [
        "images.csv",
        "round-00001.parquet",
        "round-00002.parquet",
    ]
    assert [path.name for path in image_files(folder, [1, 2])] == ["round-00001.parquet", "round-00002.parquet"]


def test_older_rows_without_a_node_are_read(tmp_path: Path) -> None:
    columns = [name for name in parquet.COLUMNS if name != "node"]
    (tmp_path / "images.csv").write_text(",".join(columns) + "\n0,0,0,a.jpg,0,0,ok,0.1,0.2,0.3,0.4,\n")
    (row,) = images_of_trial(tmp_path, trial(0, 1), 3)
    assert (row["node"], row["error"], row["task_s"]) == (None, None, 0.3)


def test_rows_that_are_damaged_are_refused_by_the_files_name(folder: Path) -> None:
    (folder / "images" / "round-00000.parquet").write_bytes(b"this is no Parquet")
    with pytest.raises(RunnerError, match=r"round-00000\.parquet: cannot be read as the rows of images"):
        latencies_ms(folder)


def test_a_distribution_is_made_of_a_bounded_number_of_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 5)
    assert len(latencies_ms(folder)) == 5


# ------------------------------------------------------------------------------------------------------------- trace


def test_a_trace_of_a_large_trial_is_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    count = 3 * trace.MOST_IMAGES
    PointFolder(tmp_path).write_images(0, report(stamped(count), stamped(count)), IMAGES)
    subject = trial(0, count, count)
    samples = 5 * trace.MOST_SAMPLES
    lines = ["round,unix_time_s,phase,cpu_pct", *(f"0,{100 + at / samples:.6f},epoch,50" for at in range(samples))]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    PointFolder(tmp_path).write_record(made_records.result(trials=[subject]))
    write_trace(tmp_path)
    content = json.loads((tmp_path / "trace.json").read_text())
    tasks = [event["args"] for event in content["traceEvents"] if event["name"] == "task"]
    each = trace.MOST_IMAGES // 2
    assert [(task["epoch"], task["item"]) for task in tasks] == [(epoch, item) for epoch in (0, 1) for item in range(each)]
    assert sum(event["ph"] == "C" for event in content["traceEvents"]) == trace.MOST_SAMPLES
    assert content["otherData"]["left_out"] == [
        "samples, of which one in 5 is shown",
        f"images after the first {each} of each epoch; there are {2 * count}",
    ]
    assert (tmp_path / "trace.json").stat().st_size < 1.5e6


def test_a_trace_has_no_more_phases_than_a_browser_can_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "MOST_PHASES", 2)
    PointFolder(tmp_path).write_record(made_records.result(trials=[trial(0, 1, 1, 1)]))
    write_trace(tmp_path)
    content = json.loads((tmp_path / "trace.json").read_text())
    assert [event["name"] for event in content["traceEvents"] if event["ph"] == "X"] == ["epoch 0", "epoch 1"]
    assert content["otherData"]["left_out"] == ["phases after the first 2 of 3"]


def test_a_trace_shows_as_many_images_as_are_asked_for(folder: Path) -> None:
    write_trace(folder, 0, most_images=4)
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    assert [event["args"]["item"] for event in events if event["name"] == "task"] == [0, 1, 0, 1]
    (workers,) = (event["args"]["name"] for event in events if event["name"] == "process_name" and event["pid"] == 2)
    assert workers == "workers; left out: images after the first 2 of each epoch; there are 8"


# ------------------------------------------------------------------------------------------------------------ MLflow


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep of two points that was really run, of which MLflow has never heard."""
    program = Program(tmp_path_factory.mktemp("recorded"))
    answer = program("mode=thread", "workers=1,2", "images=6", "protocol=quick", "task=pillow", "tracking=none", "-m")
    assert answer.returncode == 0, answer.stderr
    (sweep,) = program.folder.glob("outputs/sweeps/*/*")
    return sweep


def point_of(recorded: Path, **tracking: Any) -> PointRecord:
    folder = recorded / "0"
    record = json.loads((folder / "result.json").read_text())
    record["config"]["tracking"] |= tracking
    return PointRecord(folder, record, "thread-w1", [])


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


# ------------------------------------------------------------------------------------------------------------ export


def test_the_rows_of_every_point_of_a_sweep_are_exported(recorded: Path, program: Program) -> None:
    answer = program("export", str(recorded), "--csv")
    assert answer.returncode == 0, answer.stderr
    for name in ("0", "1"):
        assert (recorded / name / "images.csv").read_text() == text_of(recorded / name)
        assert len(list((recorded / name).glob("images.csv"))) == len(list((recorded / name).glob(".images.csv*"))) + 1
        (recorded / name / "images.csv").unlink()


def test_rows_go_to_a_file_or_to_standard_output(folder: Path, program: Program) -> None:
    printed = program("export", str(folder), "--csv", "--output", "-")
    assert (printed.returncode, printed.stdout) == (0, text_of(folder))
    written = program("export", str(folder), "--csv", "--output", "rows.csv")
    assert "rows.csv" in written.stdout
    assert (program.folder / "rows.csv").read_text() == text_of(folder)
    assert not (folder / "images.csv").exists()


def test_an_older_record_is_text_already(folder: Path, program: Program) -> None:
    as_an_older_version(folder)
    before = (folder / "images.csv").read_bytes()
    answer = program("export", str(folder), "--csv")
    assert answer.returncode == 0
    assert "is there already" in answer.stdout
    assert (folder / "images.csv").read_bytes() == before


def test_what_cannot_be_exported_is_refused_in_one_message(recorded: Path, folder: Path, program: Program) -> None:
    several = program("export", str(recorded), "--csv", "--output", "rows.csv")
    (program.folder / "empty").mkdir()
    nothing = program("export", "empty", "--csv")
    PointFolder(folder).write_images(0, None, IMAGES)
    PointFolder(folder).write_images(1, None, IMAGES)
    no_rows = program("export", str(folder), "--csv")
    nowhere = program("export", str(recorded / "0"), "--csv", "--output", "nowhere/rows.csv")
    assert [answer.returncode for answer in (several, nothing, no_rows, nowhere)] == [1] * 4
    assert "takes the rows of one point" in several.stderr
    assert "holds no record of a point (result.json)" in nothing.stderr
    assert "holds no rows of images" in no_rows.stderr
    assert "there is no folder nowhere" in nowhere.stderr
    assert all("Traceback" not in answer.stderr for answer in (several, nothing, no_rows, nowhere))


def test_nothing_of_arrow_is_imported_before_there_are_rows() -> None:
    code = (
        "import sys; import runner.commands.dispatch, runner.sweep.execute, runner.tracking.content, runner.commands.export; "
        "print([name for name in sys.modules if name in ('pyarrow', 'pandas')])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
