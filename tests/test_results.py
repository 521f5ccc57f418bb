"""From reports to records: what the numbers are, and that they add up."""

from __future__ import annotations

import csv
import json
import random
import statistics
from array import array
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.faulty_task import Fault
from support.made_records import ended, good, good_trial, known
from support.photos import photo, png_bomb
from support.points import Prepared, Silent, point
from support.rows import rows_in
from support.trials import Trials

from runner.config.metrics import METRICS
from runner.config.options import (
    Folder,
    Monitor,
    Process,
    ProcessPool,
    Protocol,
    Sequential,
    StartMethod,
    Thread,
)
from runner.host.memory import Footprint
from runner.host.usage import Usage
from runner.modes import Worker
from runner.modes.workers.runtime import Threads
from runner.monitor.sampler import Sample as Sampled
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.record.epochs import epoch_record
from runner.record.metrics import summary, trial_metrics
from runner.record.trial import Observations, TrialPlace, digest_of, trial_record
from runner.record.trial_schema import GoodTrial
from runner.record.writing import PointFolder, Series
from runner.sweep.point import Point
from runner.sweep.session import Session
from runner.trial.messages import EpochReport, Phase, Report
from runner.trial.supervisor import Outcome, Supervisor

MS = 1_000_000  # nanoseconds


IMAGES = [Image("a.jpg", "jpeg", 8, 8, "0")]


def epoch_report() -> EpochReport:
    """Four images, 10 ms apart: read 1 ms, task 2, 3, 4 ms, sink 1 ms; the last one failed."""
    values = array("q")
    for item, task in enumerate((2, 3, 4)):
        start = item * 10 * MS
        values.extend((item, 0, 0, start, start + MS, start + (1 + task) * MS, start + (2 + task) * MS, 1))
    values.extend((3, 0, 0, 30 * MS, 31 * MS, 35 * MS, 35 * MS, 0))
    return EpochReport(0, 40 * MS, 0.02, Usage(cpu_user_s=0.015, cpu_system_s=0.006), Records(values, {3: "ValueError: bad"}))


def test_an_epochs_record_follows_from_its_stamps() -> None:
    record = epoch_record(epoch_report(), wall_offset_s=100.0)
    assert record["released_at"] == 100.0
    assert record["work_s"] == pytest.approx(0.040)
    assert (record["images_ok"], record["images_failed"]) == (3, 1)
    assert record["images_per_s"] == pytest.approx(3 / 0.040)
    assert record["latency_p50_s"] == pytest.approx(0.005)
    assert record["read_s"] == pytest.approx(0.003)
    assert record["task_s"] == pytest.approx(0.009)
    assert record["sink_s"] == pytest.approx(0.003)


def test_a_trials_metrics_follow_from_its_record() -> None:
    report = Report(
        import_s=0.0, preload_s=4.0, startup_s=0.5, warmup_s=0.1, teardown_s=0.25,
        workers=(Worker(1, Threads(2, 3, 2), 0.0),), epochs=(epoch_report(), epoch_report()),
        verification=Records(digests={0: b"a"}), footprint=Footprint(7_000_000, "pss", 7_000_000, 3, 1),
    )  # fmt: skip
    phases = tuple(
        Phase(name, at * MS, (1,), Usage(cpu_user_s=user, cpu_system_s=user / 4, voluntary_switches=at))
        for name, at, user in (
            ("import", 0, 0.2),
            ("startup", 10, 0.4),
            ("epoch", 500, 0.8),
            ("teardown", 590, 1.2),
            ("end", 840, 1.6),
        )
    )
    record = good(
        trial_record(
            TrialPlace(0, 0, "s"), Outcome(report, None, phases), Observations.nothing(2.0),
            images=IMAGES, wall_offset_s=100.0, started_at=0.0, ended_at=1.0,
        )
    )  # fmt: skip
    assert record["total_s"] == pytest.approx(0.5 + 0.08 + 0.25)
    assert record["tf"] == {"intra_op": 2, "inter_op": 3, "blas": 2, "opencv": None}
    assert record["cpu_user_s"] == pytest.approx(1.6 - 0.4)
    assert record["cpu_s"] == pytest.approx(1.2 * 1.25)
    assert [phase["name"] for phase in record["phases"]] == ["import", "startup", "epoch", "teardown"]
    startup = ended(record["phases"][1])
    assert (startup["at"], startup["wall_s"]) == pytest.approx((100.01, 0.49))
    assert startup["voluntary_switches"] == 490
    assert startup["cpu_user_s"] == pytest.approx(0.4)
    assert record["epochs"][0]["cpu_user_s"] == pytest.approx(
        0.02 * 15 / 21
    )  # the clocks' seconds, divided as the books divide
    metrics = trial_metrics(record)
    assert set(metrics) == set(METRICS)
    assert metrics["cpu_s_per_image"] == pytest.approx(0.04 / 8)
    assert metrics["cpu_utilization_pct"] == pytest.approx(0.04 / (0.08 * 2) * 100)
    assert metrics["peak_memory_mb"] == pytest.approx(7.0)
    assert metrics["images_failed"] == 1


def test_the_interval_of_the_median_covers_it() -> None:
    """Coverage over 4000 skewed samples: at least 95 %, and not far more than the discreteness of ranks makes it."""
    draw = random.Random(1)
    for n, most in ((6, 0.98), (9, 0.975), (15, 0.98), (40, 0.975)):
        hits = 0
        for _ in range(4000):
            interval = summary([draw.expovariate(1.0) for _ in range(n)])
            hits += known(interval["low"]) <= 0.6931 <= known(interval["high"])
        assert 0.94 < hits / 4000 < most, n


def test_fewer_than_six_trials_give_no_interval() -> None:
    assert summary([3.0, 1.0, 2.0, 5.0, 4.0]) == {"value": 3.0, "low": None, "high": None, "n": 5}
    assert summary([3.0, 1.0, 2.0, 5.0, 4.0, 6.0]) == {"value": 3.5, "low": 1.0, "high": 6.0, "n": 6}


def test_the_digest_does_not_depend_on_the_order_of_completion() -> None:
    assert digest_of(Records(digests={0: b"a", 1: b"b"})) == digest_of(Records(digests={1: b"b", 0: b"a"}))
    assert digest_of(Records(digests={0: b"a", 1: b"b"})) != digest_of(Records(digests={0: b"b", 1: b"a"}))


@pytest.mark.parametrize(
    "mode", [Sequential(), Thread(), Process(), ProcessPool(threads_per_worker=2)], ids=lambda mode: mode.name
)
def test_cpu_seconds_are_those_that_were_burnt(trials: Trials, mode: object) -> None:
    """Each image burns 30 ms of CPU, by the kernel's clock for the thread that burns it, in whatever process."""
    burn = Fault("burn", cpu_s=0.03)
    report = trials.report(mode, workers=3, items=30, task=burn, task_module="support.faulty_task")
    burnt = 30 * 0.03
    assert burnt <= report.epochs[0].cpu_s < burnt * 1.15


@pytest.mark.parametrize("method", list(StartMethod), ids=lambda method: method.value)
def test_cpu_seconds_of_the_tree_agree_with_what_the_kernel_tells_others(trials: Trials, method: StartMethod) -> None:
    """Asked from outside, of another interface, while the trial pauses: /proc counts a process and its ended children."""
    seen: dict[str, float] = {}

    def look(event: Any) -> None:
        if getattr(event, "name", "") in {"startup", "end"}:
            times = psutil.Process(event.pids[0]).cpu_times()
            seen[event.name] = times.user + times.system + times.children_user + times.children_system

    burn = Fault("burn", cpu_s=0.05)
    mode = Process(start_method=method)
    outcome = trials.outcome(mode, items=30, task=burn, task_module="support.faulty_task", on_event=look)
    assert outcome.report is not None
    border = {phase.name: phase.usage for phase in outcome.phases}
    ours = (border["end"] - border["startup"]).cpu_s
    assert ours is not None
    assert ours > 30 * 0.05
    assert ours == pytest.approx(seen["end"] - seen["startup"], rel=0.01, abs=0.05)  # a tick is 10 ms, and four are added


def test_memory_counts_shared_pages_once(trials: Trials) -> None:
    """Eight forked workers share TensorFlow's pages; their sum of RSS would count them eight times."""
    rss: list[int] = []

    def look(event: Any) -> None:
        pids = getattr(event, "pids", ())
        if getattr(event, "name", "") == "warmup":
            rss.append(sum(psutil.Process(pid).memory_info().rss for pid in pids))

    outcome = trials.outcome(Process(), workers=8, on_event=look)
    assert outcome.report is not None
    assert outcome.report.footprint.memory_method == "pss"
    assert 250e6 < (outcome.report.footprint.memory_bytes or 0) < rss[0] / 2


def test_a_fork_server_of_the_trials_own_is_counted(trials: Trials) -> None:
    """What the trial tells of is its whole tree, as the system has it."""
    trees: list[tuple[set[int], set[int]]] = []

    def look(event: Any) -> None:
        if getattr(event, "name", "") == "warmup":
            below = psutil.Process(event.pids[0]).children(recursive=True)
            trees.append((set(event.pids), {event.pids[0], *(process.pid for process in below)}))

    outcome = trials.outcome(Process(start_method=StartMethod.forkserver), on_event=look)
    assert outcome.report is not None
    ((told, there),) = trees
    assert told == there
    assert outcome.report.footprint.processes == len(there) >= 4


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
    subject = point(tmp_path / "point", source=Folder(path=str(folder)), images=10, mode=ProcessPool())
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
