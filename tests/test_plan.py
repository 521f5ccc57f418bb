"""Plans: machines, hours and money that keep a deadline."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from support.advice import folder_of
from support.made_records import epoch, good_trial, known, result
from support.program import Program

from runner.analysis.accelerators import Accelerators, feeding_plan
from runner.analysis.capacity import KEPT, Job, capacity, machines_for, mean_seconds, slowest
from runner.analysis.input_bound import Fed
from runner.commands.plan import duration_s
from runner.commands.plan_feeding import accelerators_of
from runner.errors import RunnerError
from runner.record.point_schema import ResultJson


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


def test_a_plan_says_what_it_assumes(advised: Program) -> None:
    folder = Path(folder_of(advised))
    answer = advised("plan", str(folder), "--images", "1e6", "--deadline", "2h", "--price-per-cpu-hour", "0.04")
    assert answer.returncode == 0, answer.stderr
    assert "machines" in answer.stdout
    assert "It assumes:" in answer.stdout
    assert "and differ by 5 %" in answer.stdout
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
def test_a_plan_that_cannot_be_made_is_refused(advised: Program, words: list[str], said: str) -> None:
    answer = advised("plan", folder_of(advised), *words)
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_what_feeds_accelerators_follows_from_the_time_and_the_cpu_time_of_an_image() -> None:
    trials = [good_trial(round=place, epochs=[epoch(work_s=1.0, images_ok=100, cpu_s=2.0)]) for place in range(3)]
    plan = feeding_plan(result(trials=trials), Accelerators("any", 4, 500))
    assert plan.needed_images_per_s == 2000
    assert plan.machines.value == 20
    assert plan.cpus == pytest.approx(40)


def test_an_accelerator_by_name_takes_its_batch_in_the_time_of_its_step() -> None:
    assert accelerators_of("h100_resnet50", 8).images_per_s == pytest.approx(400 / 0.224)


@pytest.mark.parametrize(
    ("name", "count", "reason"),
    [
        ("emulated", 1, "accepted: one of h100_resnet50, a100_resnet50"),
        ("h100_resnet50", 0, "accepted: an integer of 1 or more"),
    ],
)
def test_an_accelerator_that_is_not_known_or_none_of_them_is_refused(name: str, count: int, reason: str) -> None:
    with pytest.raises(RunnerError, match=reason):
        accelerators_of(name, count)


def test_what_a_consumer_held_back_is_no_throughput_of_machines() -> None:
    held = result(trials=[good_trial()]) | {"input": Fed(1, 100, 0.01).record()}
    with pytest.raises(RunnerError, match="measure it with consumer=none"):
        feeding_plan(held, Accelerators("any", 1, 500))
