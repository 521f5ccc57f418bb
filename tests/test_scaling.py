"""The scaling law: what is found again, what it does not promise."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.advice import trial
from support.made_records import epoch, good_trial, known, result

from runner.analysis.scaling import fitted, law_text, laws
from runner.record.metrics import point_metrics
from runner.record.reading import PointRecord


def measured(contention: float, coherency: float, noise: float = 0.0, rounds: int = 8) -> dict[int, dict[int, float]]:
    """Throughput by the law itself, each round with noise of its own and a drift that all points share."""
    draw = random.Random(1)
    drift = [draw.gauss(0, noise) for _ in range(rounds)]
    return {
        n: {
            place: 100 * n / (1 + contention * (n - 1) + coherency * n * (n - 1)) * (1 + drift[place] + draw.gauss(0, noise))
            for place in range(rounds)
        }
        for n in (1, 2, 4, 8, 16)
    }


@pytest.mark.parametrize(("contention", "coherency"), [(0.0, 0.0), (0.1, 0.0), (0.05, 0.002), (0.3, 0.01)])
def test_a_law_is_found_again_in_what_it_produced(contention: float, coherency: float) -> None:
    law = fitted(measured(contention, coherency))
    assert law is not None
    assert law.good
    assert law.rate.value == pytest.approx(100, rel=1e-3)
    assert law.contention.value == pytest.approx(contention, abs=1e-3)
    assert law.coherency.value == pytest.approx(coherency, abs=1e-4)
    assert law.predicted(32) == pytest.approx(100 * 32 / (1 + contention * 31 + coherency * 32 * 31), rel=0.01)
    if coherency:
        assert law.peak_workers is not None
        assert law.peak_workers.value == pytest.approx(((1 - contention) / coherency) ** 0.5, rel=0.01)
    else:
        assert known(law.doubling).value >= 1


def test_the_intervals_hold_what_is_true_and_grow_with_the_noise() -> None:
    laws = [fitted(measured(0.1, 0.004, noise)) for noise in (0.005, 0.02)]
    widths = []
    for law in laws:
        assert law is not None
        assert law.contention.low is not None
        assert law.contention.high is not None
        assert law.contention.low <= 0.1 <= law.contention.high
        widths.append(law.contention.high - law.contention.low)
    assert widths[0] < widths[1]


def test_few_rounds_give_no_interval_and_few_worker_counts_no_law() -> None:
    law = fitted(measured(0.1, 0.01, rounds=3))
    assert law is not None
    assert law.contention.low is None
    assert fitted({n: {0: 1.0} for n in (1, 2, 3, 4)}) is None  # three parameters take two degrees of freedom to spare


def test_what_the_law_does_not_describe_is_no_good_fit() -> None:
    steps = {n: dict.fromkeys(range(8), 100.0 * min(n, 2) * (0.5 if n == 8 else 1)) for n in (1, 2, 4, 8, 16)}
    law = fitted(steps)
    assert law is not None
    assert not law.good
    assert "does not describe it" in law_text("thread", law)
    assert max(map(abs, law.residuals.values())) > 0.05


def on_cpus(cpus: int, cpu_share: float) -> dict[int, PointRecord]:
    """One to eight workers, each as fast as alone; of an image's 10 ms this share is CPU time."""
    points = {}
    for workers in (1, 2, 3, 4, 6, 8):
        one = epoch(images_per_s=100.0 * workers, images_ok=100, cpu_s=cpu_share, read_s=0.0, task_s=1.0, sink_s=0.0)
        trials = [good_trial(round=place, cpus_usable=float(cpus), epochs=[one]) for place in range(8)]
        config = {"mode": {"name": "process"}, "workers": workers}
        points[workers] = PointRecord(
            Path(), result(config=config, trials=trials, metrics=point_metrics(trials)), str(workers), ["workers"]
        )
    return points


def test_nothing_is_promised_beyond_the_cpus_where_they_are_what_binds() -> None:
    law = laws(list(on_cpus(8, cpu_share=0.95).values()))["process"]
    assert law.fitted_at(16) == pytest.approx(1600, rel=0.01)
    assert law.predicted(16) is None
    assert law.doubling is None
    assert "for 16 workers nothing is predicted, since its 8 CPUs are what binds" in law_text("process", law)


def test_no_prediction_exceeds_what_the_bounds_allow() -> None:
    law = laws(list(on_cpus(8, cpu_share=0.6).values()))["process"]  # they wait: more workers than CPUs may help
    assert law.predicted(16) == pytest.approx(8 / 0.006)
    assert known(law.doubling).value == pytest.approx(8 / 0.006 / 800, rel=0.01)


def test_a_law_is_fitted_to_each_mode_of_a_sweep_and_told_as_a_prediction() -> None:
    points = []
    for mode in ("thread", "process"):
        for workers, rounds in measured(0.1, 0.01 if mode == "thread" else 0.0).items():
            trials = [trial(place, rate, 0.01, 100, 10) for place, rate in rounds.items()]
            record = result(config={"mode": {"name": mode}, "workers": workers}, trials=trials)
            points.append(PointRecord(Path(), record, f"{mode}-w{workers}", ["mode", "workers"]))
    found = laws(points)
    assert set(found) == {"thread", "process"}
    text = law_text("thread", found["thread"])
    assert "predicted, not measured" in text
    assert "peaks at 9.49" in text
    assert "32 workers instead of 16 would bring" in text
    assert "does not fall within 64 workers" in law_text("process", found["process"])
    assert laws(points[:3]) == {}
