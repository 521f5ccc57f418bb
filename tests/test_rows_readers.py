"""Readers of rows: text, older records, distributions, timelines."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest
from support import made_records
from support.rows_cases import IMAGES, as_an_older_version, report, stamped, text_of, trial

from runner.errors import RunnerError
from runner.outside import in_one_line
from runner.record import parquet, rows, trace
from runner.record.rows import image_files, image_rows, images_of_trial, latencies_ms
from runner.record.trace import write_trace
from runner.record.writing import PointFolder


def _in_one_line(value: object) -> object:
    return in_one_line(value) if isinstance(value, str) else value


def test_the_exported_text_is_the_frame(rows_folder: Path) -> None:
    frame = pd.read_parquet(rows_folder / "images")
    text = pd.read_csv(io.StringIO(text_of(rows_folder)))
    assert list(text.columns) == list(frame.columns)
    for name in frame.columns:
        if name.endswith("_s"):
            assert text[name].to_numpy() == pytest.approx(frame[name].to_numpy(), abs=1e-9)
        else:
            expected = frame[name].astype(object).fillna("").tolist()
            assert text[name].astype(object).fillna("").tolist() == [_in_one_line(value) for value in expected]


def test_the_exported_text_has_the_lines_that_images_csv_had(rows_folder: Path) -> None:
    lines = list(csv.reader(io.StringIO(text_of(rows_folder))))
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
def test_readers_see_the_same_in_records_of_either_version(rows_folder: Path, older: bool) -> None:
    if older:
        as_an_older_version(rows_folder)
    assert latencies_ms(rows_folder) == pytest.approx([0.025001] * 14, abs=2e-6)
    first = images_of_trial(rows_folder, trial(1, 4, 4), 3)
    assert [(row["round"], row["epoch"], row["item"]) for row in first] == [(1, 1, 0), (1, 1, 1), (1, 1, 2)]
    error = 'ValueError: bad,\n"very" bad'
    assert (first[0]["node"], first[0]["worker"]) == ("one", 0)
    assert first[2]["error"] == (_in_one_line(error) if older else error)
    assert write_trace(rows_folder, 1) == 1
    spans = [event for event in json.loads((rows_folder / "trace.json").read_text())["traceEvents"] if event["name"] == "task"]
    assert [span["args"]["item"] for span in spans] == [0, 1, 2, 3] * 2
    assert spans[6]["args"]["error"].startswith("ValueError")
    assert len(text_of(rows_folder).splitlines()) == 1 + 16


def test_an_older_record_that_was_gone_on_with_has_every_row_once(rows_folder: Path) -> None:
    as_an_older_version(rows_folder)
    PointFolder(rows_folder).write_images(1, report(stamped(4), stamped(4)), IMAGES)
    PointFolder(rows_folder).write_images(2, report(stamped(4), stamped(4)), IMAGES)
    numbers = [number for batch in image_rows(rows_folder, ["round"]) for number in batch["round"].to_pylist()]
    assert numbers == [0] * 8 + [1] * 8 + [2] * 8
    assert [path.name for path in image_files(rows_folder, [0, 1, 2])] == [
        "images.csv",
        "round-00001.parquet",
        "round-00002.parquet",
    ]
    assert [path.name for path in image_files(rows_folder, [1, 2])] == ["round-00001.parquet", "round-00002.parquet"]


def test_older_rows_without_a_node_are_read(tmp_path: Path) -> None:
    columns = [name for name in parquet.COLUMNS if name != "node"]
    (tmp_path / "images.csv").write_text(",".join(columns) + "\n0,0,0,a.jpg,0,0,ok,0.1,0.2,0.3,0.4,\n")
    (row,) = images_of_trial(tmp_path, trial(0, 1), 3)
    assert (row["node"], row["error"], row["task_s"]) == (None, None, 0.3)


def test_rows_that_are_damaged_are_refused_by_the_files_name(rows_folder: Path) -> None:
    (rows_folder / "images" / "round-00000.parquet").write_bytes(b"this is no Parquet")
    with pytest.raises(RunnerError, match=r"round-00000\.parquet: cannot be read as the rows of images"):
        latencies_ms(rows_folder)


def test_a_distribution_is_made_of_a_bounded_number_of_rows(rows_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_ROWS", 5)
    assert len(latencies_ms(rows_folder)) == 5


def test_a_trace_of_a_large_trial_is_small_and_says_what_it_leaves_out(tmp_path: Path) -> None:
    count = 3 * trace.MOST_IMAGES
    PointFolder(tmp_path).write_images(0, report(stamped(count), stamped(count)), IMAGES)
    subject = trial(0, count, count)
    samples = 5 * trace.MOST_SAMPLES
    lines = ["round,unix_time_s,phase,cpu_pct", *(f"0,{100 + at / samples:.6f},epoch,50" for at in range(samples))]
    (tmp_path / "samples.csv").write_text("\n".join(lines) + "\n")
    PointFolder(tmp_path).write_record(made_records.result(config=made_records.CONFIG, trials=[subject]))
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
    PointFolder(tmp_path).write_record(made_records.result(config=made_records.CONFIG, trials=[trial(0, 1, 1, 1)]))
    write_trace(tmp_path)
    content = json.loads((tmp_path / "trace.json").read_text())
    assert [event["name"] for event in content["traceEvents"] if event["ph"] == "X"] == ["epoch 0", "epoch 1"]
    assert content["otherData"]["left_out"] == ["phases after the first 2 of 3"]


def test_a_trace_shows_as_many_images_as_are_asked_for(rows_folder: Path) -> None:
    write_trace(rows_folder, 0, most_images=4)
    events = json.loads((rows_folder / "trace.json").read_text())["traceEvents"]
    assert [event["args"]["item"] for event in events if event["name"] == "task"] == [0, 1, 0, 1]
    (workers,) = (event["args"]["name"] for event in events if event["name"] == "process_name" and event["pid"] == 2)
    assert workers == "workers; left out: images after the first 2 of each epoch; there are 8"
