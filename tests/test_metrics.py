"""Metrics and intervals follow from stamps and records."""

from __future__ import annotations

import random
from array import array

import pytest
from support.made_records import ended, good, known

from runner.config.metrics import METRICS
from runner.host.memory import Footprint
from runner.host.usage import Usage
from runner.modes import Worker
from runner.modes.workers.runtime import Threads
from runner.pipeline.sources.image import Image
from runner.pipeline.stamps import Records
from runner.record.epochs import epoch_record
from runner.record.metrics import summary, trial_metrics
from runner.record.trial import Observations, TrialPlace, digest_of, trial_record
from runner.trial.messages import EpochReport, Phase, Report
from runner.trial.supervisor import Outcome

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
