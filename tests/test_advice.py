"""From a measured sweep to what to do: the scaling law, the recommendation, the plan on paper."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
import yaml
from support.made_records import epoch, good_trial, known, result
from support.paths import ROOT
from support.program import Program

from runner.analysis.capacity import KEPT, Job, capacity, machines_for, mean_seconds, slowest
from runner.analysis.recommendation import recommended
from runner.analysis.scaling import fitted, law_text, laws
from runner.commands.plan import duration_s
from runner.errors import RunnerError
from runner.record.metrics import point_metrics
from runner.record.point_schema import ResultJson
from runner.record.reading import PointRecord
from runner.record.trial_schema import GoodTrial

# ------------------------------------------------------------------------------------------------ scaling law


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


# ---------------------------------------------------------------------------------------------- recommendation


def trial(place: int, images_per_s: float, cpu_s: float, memory_mb: float, latency_ms: float) -> GoodTrial:
    latency_s = latency_ms / 1e3
    only = epoch(
        images_per_s=images_per_s, images_ok=100, cpu_s=cpu_s * 100,
        latency_p50_s=latency_s, latency_p95_s=latency_s, latency_p99_s=latency_s,
    )  # fmt: skip
    return good_trial(round=place, epochs=[only], peak_memory_bytes=int(memory_mb * 1e6))


def point(
    name: str,
    images_per_s: float,
    *,
    cpu_s: float = 0.01,
    memory_mb: float = 100,
    latency_ms: float = 10,
    rounds: int = 12,
    noise: float = 0.01,
) -> PointRecord:
    draw = random.Random(name)
    trials = [trial(place, images_per_s * (1 + draw.gauss(0, noise)), cpu_s, memory_mb, latency_ms) for place in range(rounds)]
    return PointRecord(Path(), result(trials=trials, metrics=point_metrics(trials)), name, [])


def test_the_cheapest_of_those_that_are_proven_to_be_as_good_is_taken() -> None:
    fast, as_fast, slow = point("fast", 101, cpu_s=0.02), point("as fast", 100, cpu_s=0.01), point("slow", 80, cpu_s=0.001)
    taken = recommended([fast, as_fast, slow], "throughput")
    assert taken is not None
    assert (taken.point.label, taken.best.label, taken.as_good, taken.considered) == ("as fast", "fast", 2, 3)
    assert taken.proven
    assert 0 < known(taken.bound_pct) <= 5


def test_what_matters_decides() -> None:
    points = [
        point("fast", 200, memory_mb=900, latency_ms=50), point("small", 50, memory_mb=90, latency_ms=40),
        point("prompt", 60, memory_mb=500, latency_ms=4), point("cheap", 70, memory_mb=600, latency_ms=30, cpu_s=0.001),
    ]  # fmt: skip
    taken = {criterion: recommended(points, criterion) for criterion in ("throughput", "memory", "latency", "cost")}
    names = {criterion: found.point.label for criterion, found in taken.items() if found is not None}
    assert names == {"throughput": "fast", "memory": "small", "latency": "prompt", "cost": "cheap"}


def test_what_is_not_provably_worse_is_not_taken_for_as_good() -> None:
    """Slower and cheap, in rounds too few and too noisy to prove it: once nine of ten recommendations were such."""
    fast, slow = point("fast", 110, cpu_s=0.02, rounds=3, noise=0.15), point("slow", 90, rounds=3, noise=0.15)
    taken = recommended([fast, slow], "throughput")
    assert taken is not None
    assert taken.point.label == "fast"
    assert not taken.proven
    assert known(taken.bound_pct) > 5


def test_one_round_recommends_the_fastest_and_can_say_no_more() -> None:
    taken = recommended([point("fast", 200, cpu_s=0.02, rounds=1), point("slow", 50, rounds=1)], "throughput")
    assert taken is not None
    assert (taken.point.label, taken.bound_pct, taken.proven) == ("fast", None, False)


def test_a_sweep_without_a_good_point_has_nothing_to_recommend() -> None:
    assert recommended([], "throughput") is None


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("swept"))
    words = ["mode=thread,process", "mode.start_method=auto", "workers=1,2", "images=8", "tracking=none"]
    answer = program(*(word for word in words if "start" not in word), "protocol=quick", "protocol.rounds=7", "-m")
    assert answer.returncode == 0, answer.stderr
    return program


def folder_of(program: Program) -> str:
    (found,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    return str(found)


def test_the_words_that_are_recommended_can_be_pasted(swept: Program) -> None:
    answer = swept("recommend", folder_of(swept), "--by", "memory")
    assert answer.returncode == 0, answer.stderr
    (line,) = (line for line in answer.stdout.splitlines() if line.startswith("To run it (memory): "))
    words = line.partition(": ")[2].split()
    assert "mode=thread" in words  # a thread's memory is less than a process's
    assert swept(*words, "protocol=once", "images=2", "tracking=none").returncode == 0


def test_a_preset_is_written_and_can_be_run(swept: Program, tmp_path: Path) -> None:
    preset = ROOT / "conf" / "experiment" / f"test_{tmp_path.name}.yaml"
    try:
        answer = swept("recommend", folder_of(swept), "--preset", str(preset))
        assert answer.returncode == 0, answer.stderr
        assert yaml.safe_load(preset.read_text())["workers"] in {1, 2}
        assert swept(f"experiment={preset.stem}", "protocol=once", "images=2", "tracking=none").returncode == 0
        again = swept("recommend", folder_of(swept), "--preset", str(preset))
        assert again.returncode == 1
        assert "is there already" in again.stderr
    finally:
        preset.unlink(missing_ok=True)


# -------------------------------------------------------------------------------------------------------- plan


def with_seconds(*seconds: float) -> ResultJson:
    """The record of a point whose trials took so many seconds an image."""
    trials = [good_trial(round=place, epochs=[epoch(work_s=100 * one, images_ok=100)]) for place, one in enumerate(seconds)]
    return result(trials=trials)


ONCE_S = 3.0 + 0.0 + 0.5 + 0.5


def test_a_plan_follows_from_the_mean_seconds_an_image_and_not_from_the_median() -> None:
    plan = capacity(with_seconds(0.01, 0.01, 0.01, 0.01, 0.016), Job(1e9, price=0.04))
    hours = (1e9 * 0.0112 + ONCE_S) / 3600
    assert plan.hours.value == plan.machine_hours.value == pytest.approx(hours)
    assert plan.images_per_s.value == pytest.approx(1 / 0.0112)
    assert plan.money is not None
    assert plan.money.value == pytest.approx(hours * 2 * 0.04)
    assert plan.machines is None


def test_machines_keep_the_deadline_at_the_bound_and_the_slowest_of_them_does() -> None:
    record, deadline_s = with_seconds(0.009, 0.01, 0.011, 0.01), 24 * 3600
    bound = mean_seconds([0.009, 0.01, 0.011, 0.01]).high
    alike = capacity(record, Job(1e9, deadline_s, machines_differ=0))
    assert alike.machines == math.ceil(1e9 * known(bound) / (deadline_s - ONCE_S))
    assert known(alike.hours.high) <= 24
    assert known(alike.hours.low) < alike.hours.value < known(alike.hours.high)
    unlike = capacity(record, Job(1e9, deadline_s, machines_differ=0.05))
    assert known(unlike.machines) > known(alike.machines)
    assert known(unlike.hours.high) <= 24
    chosen = capacity(record, Job(1e9, deadline_s, machines_differ=0.05, chosen_from=20))
    assert known(chosen.machines) > known(unlike.machines)


def test_a_machine_fewer_would_be_late() -> None:
    job = Job(1e9, 24 * 3600)
    machines = machines_for(job, ONCE_S, 0.01)
    assert 1e9 / (machines - 1) * 0.01 * slowest(machines - 1, job.machines_differ, (1 + KEPT) / 2) + ONCE_S > 24 * 3600


def test_a_deadline_before_the_start_is_over_is_refused() -> None:
    with pytest.raises(RunnerError, match="the start alone takes"):
        capacity(with_seconds(0.01, 0.01), Job(1, 3.9))


def test_one_trial_has_no_interval() -> None:
    plan = capacity(with_seconds(0.01), Job(1e6, 3600))
    assert (plan.hours.low, plan.hours.high) == (None, None)


def test_a_plan_says_what_it_assumes(swept: Program) -> None:
    folder = Path(folder_of(swept))
    answer = swept("plan", str(folder), "--images", "1e6", "--deadline", "2h", "--price-per-cpu-hour", "0.04")
    assert answer.returncode == 0, answer.stderr
    assert "machines" in answer.stdout
    assert "It assumes:" in answer.stdout
    assert "which differ by 5 %" in answer.stdout
    assert "chosen as the best of 4" in answer.stdout


@pytest.mark.parametrize(
    ("text", "seconds"), [("24h", 86400), ("90min", 5400), ("3d", 259200), ("1.5h", 5400), ("30 s", 30), ("2m", 120)]
)
def test_a_time_is_a_number_and_its_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--images", "many"], "--images=many"),
        (["--images", "nan"], "--images=nan"),
        (["--images", "1e6", "--deadline", "soon"], "--deadline=soon"),
        (["--images", "1e6", "--deadline", "1.2.3h"], "--deadline=1.2.3h"),
        (["--images", "1e6", "--price-per-cpu-hour", "-1"], "--price-per-cpu-hour=-1"),
        (["--images", "1e6", "--machines-differ", "-1"], "--machines-differ=-1"),
        (["--images", "1e6", "--point", "nobody"], "thread-w1, thread-w2"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(swept: Program, words: list[str], said: str) -> None:
    answer = swept("plan", folder_of(swept), *words)
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
