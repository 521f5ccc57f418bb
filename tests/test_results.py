"""A point's folder holds what the contract names."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path

import pytest
from support.made_records import good_trial, known
from support.photos import photo, png_bomb
from support.points import Prepared, Silent, point
from support.rows import rows_in

from runner.config.metrics import METRICS
from runner.config.options import (
    Folder,
    Monitor,
    ProcessPool,
    Protocol,
)
from runner.monitor.sampler import Sample as Sampled
from runner.record.trial import TrialPlace
from runner.record.trial_schema import GoodTrial
from runner.record.writing import PointFolder, Series
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


def test_a_points_folder_holds_what_the_contract_names(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = point(tmp_path / "point", protocol=Protocol(rounds=2, epochs=2, warmup_epochs=1, timeout_s=240))
    Session([subject], 0, Silent(), supervisor).run()
    record = json.loads((subject.folder / "result.json").read_text())
    assert record["schema_version"] == 1
    assert (record["status"], record["error"]) == ("ok", None)
    assert record["config"]["mode"] == {"name": "thread"}
    assert set(record["metrics"]) == set(METRICS)
    assert [trial["round"] for trial in record["trials"]] == [0, 1]
    for trial in record["trials"]:
        expected = {
            "round", "order", "status", "startup_s", "warmup_s", "work_s", "teardown_s", "total_s", "cpu_s", "cpu_user_s",
            "cpu_system_s", "peak_memory_bytes", "threads_peak", "processes_peak", "tf", "epochs", "digest",
        }  # fmt: skip
        assert expected <= set(trial)
        assert trial["tf"]["intra_op"] == 1
        assert len(trial["epochs"]) == 2
        assert trial["total_s"] == pytest.approx(trial["startup_s"] + trial["work_s"] + trial["teardown_s"])
    assert len({trial["digest"] for trial in record["trials"]}) == 1
    rows = rows_in(subject.folder)
    assert len(rows) == 2 * 2 * 6
    assert [row["item"] for row in rows[:6]] == list(range(6))
    assert {row["status"] for row in rows} == {"ok"}
    task_s = sum(row["task_s"] for row in rows[:6])
    assert task_s == pytest.approx(record["trials"][0]["epochs"][0]["task_s"], rel=1e-6)
    with (subject.folder / "samples.csv").open() as file:
        phases = [row["phase"] for row in csv.DictReader(file)]
    assert phases[0] == "before"
    assert {"epoch", "after"} <= set(phases)
    assert "round 1: ok" in (subject.folder / "runner.log").read_text()
    assert list(subject.folder.glob(".*")) == []  # nothing half-written


def test_damaged_images_among_good_ones_are_named_in_the_record(tmp_path: Path, supervisor: Supervisor) -> None:
    folder = tmp_path / "photos"
    good = photo(folder / "a.jpg", (200, 100))
    content = good.read_bytes()
    (folder / "b_truncated.jpg").write_bytes(content[: len(content) // 2])
    (folder / "c_garbage.png").write_bytes(b"this is no image")
    png_bomb(folder / "d_bomb.png")
    photo(folder / "e.png")
    protocol = Protocol(rounds=1, epochs=2, warmup_epochs=1, timeout_s=240, max_failed_pct=60)
    subject = point(tmp_path / "point", source=Folder(path=str(folder)), images=10, mode=ProcessPool(), protocol=protocol)
    Session([subject], 0, Silent(), supervisor).run()
    assert subject.status == "ok"
    (trial,) = subject.trials
    assert [(epoch["images_ok"], epoch["images_failed"]) for epoch in trial["epochs"]] == [(4, 6), (4, 6)]
    errors = {Path(path).name: error for path, error in trial["image_errors"].items()}
    assert set(errors) == {"b_truncated.jpg", "c_garbage.png", "d_bomb.png"}
    assert "absurd dimensions" in errors["d_bomb.png"]
    assert known(trial["peak_memory_bytes"]) < 2e9
    rows = rows_in(subject.folder)
    assert sum(row["status"] == "failed" for row in rows) == 12
    assert all(row["error"] for row in rows if row["status"] == "failed")


def test_a_point_without_a_single_good_image_is_failed(tmp_path: Path, supervisor: Supervisor) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "garbage.jpg").write_bytes(b"this is no image")
    subject = point(tmp_path / "point", source=Folder(path=str(folder)))
    good = point(tmp_path / "good")
    Session([subject, good], 0, Silent(), supervisor).run()
    assert subject.status == "failed"
    assert subject.error is not None
    assert "no image could be processed" in subject.error["message"]
    assert subject.metrics == {}
    assert good.status == "ok"
    record = json.loads((subject.folder / "result.json").read_text())
    assert (record["status"], record["metrics"]) == ("failed", {})


def test_the_rounds_are_interleaved_in_a_seeded_order(tmp_path: Path) -> None:
    """No process is started: what is looked at is who would have been, and when."""
    orders = []
    for seed in (1, 1, 2):
        points = [point(tmp_path / f"{seed}-{index}", workers=index + 1) for index in range(4)]
        for one in points:
            one.config.protocol.rounds = 5
        order: list[tuple[int, int]] = []

        def measure(one: Point, place: TrialPlace, *_: object, order: list[tuple[int, int]] = order) -> GoodTrial:
            order.append((place.round, one.config.workers))
            return good_trial(round=place.round)

        Session(points, seed, Silent(), Prepared(), measure=measure).run()
        orders.append(order)
    assert orders[0] == orders[1] != orders[2]
    assert [number for number, _ in orders[0]] == sorted(number for number, _ in orders[0])
    for number in range(5):
        assert sorted(workers for round_, workers in orders[0] if round_ == number) == [1, 2, 3, 4]
    assert len({tuple(workers for round_, workers in orders[0] if round_ == number) for number in range(5)}) > 1


def test_monitoring_can_be_turned_off(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = point(tmp_path / "point", monitor=Monitor(enabled=False))
    Session([subject], 0, Silent(), supervisor).run()
    (trial,) = subject.trials
    assert known(trial["cpu_s"]) > 0
    assert known(trial["peak_memory_bytes"]) > 100e6
    assert known(trial["threads_peak"]) >= 3
    assert statistics.mean(epoch["cpu_s"] for epoch in trial["epochs"]) > 0


def test_samples_that_a_killed_attempt_left_are_replaced_by_those_of_the_next(tmp_path: Path) -> None:
    folder = PointFolder(tmp_path)
    for number in (0, 1, 1):  # round 1 twice: its record was not written the first time
        folder.add_samples(Series(number, 0.0, [Sampled(at_ns=number, phase="epoch")]), gpus=0)
    with (tmp_path / "samples.csv").open() as file:
        assert [row["round"] for row in csv.DictReader(file)] == ["0", "1"]
