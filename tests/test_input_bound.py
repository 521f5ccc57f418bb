"""Utilization, waits and the verdict on the input, from made-up steps."""

from __future__ import annotations

import pytest
from support.made_records import good_trial

from runner.analysis.input_bound import Fed, break_even_workers, fed
from runner.record.consumer import MOST_ENTRIES, consumer_metrics, consumer_record, fed_epoch
from runner.trial.steps import ConsumerReport, Steps

S = 1_000_000_000


def steps(*waits_and_busy: tuple[float, float], images: int = 10) -> Steps:
    """Steps that wait and are busy for these seconds, from second 100 on."""
    made, now = Steps(released_ns=100 * S), 100 * S
    for wait_s, busy_s in waits_and_busy:
        taken = now + round(wait_s * S)
        ended = taken + round(busy_s * S)
        made.add(now, taken, ended, images, 1)
        now = ended
    return made


def test_utilization_is_busy_over_total_without_the_first_steps() -> None:
    epoch = fed_epoch(steps((5, 1), (1, 3), (1, 3)), 1)
    assert epoch["utilization_pct"] == pytest.approx(75)
    assert epoch["total_s"] == pytest.approx(8)
    assert epoch["steps_per_s"] == pytest.approx(2 / 8)
    assert epoch["images_per_s"] == pytest.approx(20 / 8)
    assert epoch["first_batch_s"] == pytest.approx(5)
    assert (epoch["steps"], epoch["images"], epoch["steps_left_out"]) == (3, 30, 1)


def test_where_no_step_is_left_out_the_time_counts_from_the_release() -> None:
    epoch = fed_epoch(steps((5, 1), (1, 3)), 0)
    assert epoch["utilization_pct"] == pytest.approx(40)
    assert epoch["step_wait_p50_s"] == pytest.approx(3)
    assert epoch["step_wait_max_s"] == pytest.approx(5)


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_step_that_counts_nothing_is_claimed(count: int) -> None:
    epoch = fed_epoch(steps(*[(1, 1)] * count), 1)
    assert epoch["utilization_pct"] is None
    assert epoch["step_wait_p50_s"] is None
    assert epoch["first_batch_s"] == (pytest.approx(1) if count else None)
    assert consumer_metrics(consumer_record(ConsumerReport(0.1, 1, (steps(),), {})))["accelerator_utilization_pct"] is None


def test_a_long_timeline_is_summed_up_and_loses_nothing() -> None:
    epoch = fed_epoch(steps(*[(0.001, 0.002)] * 1700), 1)
    timeline = epoch["timeline"]
    assert timeline["steps_each"] == 4
    assert len(timeline["wait_s"]) <= MOST_ENTRIES
    assert sum(timeline["wait_s"]) == pytest.approx(1.7)
    assert sum(timeline["busy_s"]) == pytest.approx(3.4)


@pytest.mark.parametrize(
    ("waiting_pct", "verdict"),
    [(4.9, "not input-bound"), (5.0, "moderately input-bound"), (20.0, "moderately input-bound"), (20.1, "highly input-bound")],
)
def test_the_verdict_turns_over_at_5_and_20_per_cent_of_the_step(waiting_pct: float, verdict: str) -> None:
    assert Fed(waiting_pct, 100, 0.01).verdict == verdict


def test_it_says_what_would_feed_the_consumer() -> None:
    one = Fed(waiting_pct=76, needs_images_per_s=400 / 0.224, cpu_s_per_image=0.005)
    assert one.cpus == pytest.approx(8.93, abs=0.01)
    assert one.text() == (
        "highly input-bound: 76 % of the step is waiting; feeds 0.24 of this accelerator; 9 CPUs would feed it, see plan"
    )


def test_a_points_verdict_is_the_median_of_its_trials() -> None:
    def trial(wait_s: float) -> object:
        report = ConsumerReport(0.1, 0, (steps((wait_s, 1), (wait_s, 1)),), {})
        return good_trial(consumer=consumer_record(report))

    found = fed([trial(1), trial(3), trial(0.25)])  # type: ignore[list-item]
    assert found is not None
    assert found.waiting_pct == pytest.approx(50)
    assert found.needs_images_per_s == pytest.approx(10)
    assert fed([good_trial()]) is None


def test_the_break_even_lies_between_the_measured_numbers_of_workers_around_it() -> None:
    assert break_even_workers([(1, 75), (2, 50), (4, 0)]) == pytest.approx(3.8)  # 50 % to 0 % over two workers: 5 % after 1.8
    assert break_even_workers([(1, 5.0), (2, 1)]) is None  # fed by the fewest
    assert break_even_workers([(1, 75), (2, 50)]) is None  # by none
