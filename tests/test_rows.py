"""A row for every image: columns, units, size, and what a killed writer leaves."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.points import point
from support.rows import rows_in
from support.rows_cases import IMAGES, RELEASED, report, stamped
from support.trials import ignore

from runner.host.gpu import Gpus
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import WIDTH, Records, Spooled
from runner.record import parquet
from runner.record.trial import TrialPlace
from runner.record.writing import PointFolder
from runner.sweeps.measuring import measured_trial
from runner.trial.messages import TrialPlan
from runner.trial.supervisor import Outcome, Supervisor


def test_the_columns_have_types_and_the_schema_has_their_units(rows_folder: Path) -> None:
    schema = pq.read_schema(rows_folder / "images" / "round-00000.parquet")
    kinds = {field.name: str(field.type) for field in schema}
    assert tuple(kinds) == parquet.COLUMNS
    assert {kinds[name] for name in ("round", "epoch", "item", "worker", "thread")} == {"int32"}
    assert all(kinds[name].startswith("dictionary<values=string") for name in ("image", "node", "status", "error"))
    assert {kinds[name] for name in ("start_s", "read_s", "task_s", "sink_s")} == {"double"}
    units = {field.name: field.metadata.get(b"unit") for field in schema}
    assert units["start_s"] == units["read_s"] == units["task_s"] == units["sink_s"] == b"s"
    assert units["item"] == b"1"
    assert b"2**-30 s" in schema.metadata[b"times"]


def test_each_trial_has_a_file_that_no_later_trial_touches(rows_folder: Path) -> None:
    before = (rows_folder / "images" / "round-00000.parquet").read_bytes()
    PointFolder(rows_folder).write_images(2, report(stamped(1)), IMAGES)
    assert [path.name for path in sorted((rows_folder / "images").iterdir())] == [
        "round-00000.parquet", "round-00001.parquet", "round-00002.parquet",
    ]  # fmt: skip
    assert (rows_folder / "images" / "round-00000.parquet").read_bytes() == before


def test_the_folder_is_one_frame_in_the_order_of_rounds_epochs_and_items(rows_folder: Path) -> None:
    found = rows_in(rows_folder)
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


def test_a_round_that_is_run_again_replaces_its_rows(rows_folder: Path) -> None:
    PointFolder(rows_folder).write_images(1, report(stamped(3)), IMAGES)  # as after a kill before result.json was written
    assert [row["round"] for row in rows_in(rows_folder)] == [0] * 8 + [1] * 3


def test_a_round_that_is_run_again_and_fails_has_no_rows(rows_folder: Path) -> None:
    PointFolder(rows_folder).write_images(1, None, IMAGES)
    assert {row["round"] for row in rows_in(rows_folder)} == {0}


def test_what_a_killed_writer_left_is_nobodys_row(rows_folder: Path) -> None:
    (rows_folder / "images" / ".round-00002.parquet.abc").write_bytes(b"PAR1")
    assert len(rows_in(rows_folder)) == 16
    assert len(list(parquet.files_in(rows_folder))) == 2


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


def test_a_record_that_is_set_aside_takes_its_rows_with_it(rows_folder: Path) -> None:
    before = {path.name for path in rows_folder.iterdir()}
    where = PointFolder(rows_folder).set_aside([])
    assert {path.name for path in rows_folder.iterdir()} == {"set_aside"}
    assert {path.name for path in where.iterdir()} == before | {"differences.json"}
