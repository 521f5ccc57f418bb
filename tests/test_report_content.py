"""What a report says: the answer, the layout, bounds, break-even points."""

from __future__ import annotations

import pytest
from support.made_records import comparison
from support.report import point, subject

from runner.analysis.amortised import break_even, cost_of, quickest
from runner.analysis.bounds import bounds_of
from runner.analysis.input_bound import Fed
from runner.record.consumer import consumer_record
from runner.record.sweep_schema import ComparisonRecord
from runner.record.trial_schema import GilRecord
from runner.report.answer import answer
from runner.report.charts import speed_up, throughput
from runner.report.layout import chosen_layout, factors
from runner.report.page import sections_of
from runner.trial.steps import ConsumerReport, Steps


def compared(label: str, verdict: str, ratio: float, metric: str = "images_per_s") -> ComparisonRecord:
    return comparison(
        point=label, baseline="thread-w1", metric=metric, ratio=ratio, low=ratio * 0.95, high=ratio * 1.05, verdict=verdict,
        rounds_needed=20 if verdict == "inconclusive" else None,
    )  # fmt: skip


def test_the_answer_names_the_fastest_with_its_interval_and_what_it_costs() -> None:
    found = [
        compared("process-w10", "faster", 1.32), compared("process-w10", "slower", 3.1, "peak_memory_mb"),
        compared("process-w10", "inconclusive", 1.1, "cpu_s_per_image"),
    ]  # fmt: skip
    said = answer(subject([point("thread-w1", 100), point("process-w10", 132)], found))
    assert said == ["process × 10 is 1.32 times [1.25, 1.39] as fast as thread × 1, and costs 3.1 times the memory."]


def test_the_answer_of_the_sweep_comes_first_and_then_what_it_costs_against_the_baseline() -> None:
    found = {
        "text": "process × 2 leads: nothing is more than 3.0 % faster.", "best": "process-w2", "bound_pct": 2.9, "criterion": "throughput",
        "proven": True, "recommended": "process-w2", "recommended_bound_pct": 2.9,
    }  # fmt: skip
    points = [point("thread-w1", 100), point("process-w2", 200)]
    said = answer(subject(points, [compared("process-w2", "faster", 2.0)], answer=found))
    assert said[0] == found["text"]
    assert said[1].startswith("process × 2 is 2.00 times")


@pytest.mark.parametrize(
    ("verdict", "ratio", "says"),
    [
        (
            "inconclusive",
            1.05,
            "The data do not say which is fastest: process × 2, first by its median, came to 1.05 x [1.00, 1.10]",
        ),
        ("same", 1.005, "process × 2, first by its median, is within 2 % of thread × 1"),
    ],
)
def test_where_the_data_do_not_say_the_answer_says_so(verdict: str, ratio: float, says: str) -> None:
    said = answer(subject([point("thread-w1", 100), point("process-w2", 105)], [compared("process-w2", verdict, ratio)]))
    assert said[0].startswith(says)


def test_a_verdict_across_hosts_says_so() -> None:
    found = compared("process-w2", "faster", 2.0) | {"hosts": ["far", "near"]}
    said = answer(subject([point("thread-w1", 100), point("process-w2", 200)], [found]))
    assert said[0].endswith("as fast as thread × 1 (far against near: machine and setting together).")


def test_a_baseline_that_is_the_fastest_is_the_answer() -> None:
    points = [point("thread-w1", 100), point("process-w2", 50), point("process-w4", 60)]
    said = answer(subject(points, [compared("process-w2", "slower", 0.5), compared("process-w4", "slower", 0.6)]))
    assert said == ["thread × 1 is the fastest: all 2 others are slower than it."]
    said = answer(subject(points, [compared("process-w2", "slower", 0.5), compared("process-w4", "inconclusive", 0.9)]))
    assert said[0].startswith("thread × 1 is first by its median: of 2 others 1 are slower")


def test_rounds_are_believed_over_medians() -> None:
    said = answer(subject([point("thread-w1", 100), point("process-w2", 101)], [compared("process-w2", "slower", 0.97)]))
    assert said[0].startswith("thread × 1 is the faster: process-w2 came to 0.97 x")


def test_results_that_differ_and_a_baseline_unequal_to_itself_come_before_any_verdict() -> None:
    points, found = [point("thread-w1", 100), point("process-w2", 200)], [compared("process-w2", "faster", 2.0)]
    warning = {"kind": "results_differ", "message": "m", "advice": "a"}
    assert "their times are not comparable" in answer(subject(points, found, warnings=[warning]))[0]
    assert "came out different from itself" in answer(subject(points, found, trusted=False))[0]


def test_without_verdicts_there_is_no_claim() -> None:
    assert answer(subject([point("thread-w1", 100), point("process-w2", 200)]))[0].startswith(
        "The data do not say which is faster"
    )


def test_workers_go_on_the_axis_and_modes_get_colours() -> None:
    layout = chosen_layout([point(f"{mode}-w{workers}", 1) for mode in ("thread", "process") for workers in (1, 2)])
    assert layout.x is not None
    assert layout.series is not None
    assert (layout.x.name, layout.series.name, layout.panels) == ("workers", "mode", ())


def test_what_varies_in_step_is_one_factor() -> None:
    varying = ["mode", "workers", "tf.intra_op", "tf.inter_op"]
    points = [
        point(f"thread-w{workers}", 1, varying, config={"tf": {"intra_op": threads, "inter_op": threads}})
        for workers in (1, 2)
        for threads in (0, 1)
    ]
    assert [factor.keys for factor in factors(points)] == [("workers",), ("tf.intra_op", "tf.inter_op")]
    places = [chosen_layout(points).place(one) for one in points]
    assert {(place.x, place.series) for place in places} == {(1, "tf=0/0"), (1, "tf=1/1"), (2, "tf=0/0"), (2, "tf=1/1")}


def test_five_factors_get_panels_and_no_more_than_can_be_looked_at() -> None:
    varying = ["mode", "workers", "images", "task", "seed2"]
    points = [
        point(f"{mode}-w{workers} {size}{task}{extra}", 100 + size, varying, config={"images": size, "task": {"name": task}, "seed2": extra})
        for mode in ("thread", "process") for workers in (1, 2, 4) for size in (10, 20, 30) for task in ("a", "b") for extra in ("x", "y")
    ]  # fmt: skip
    shown = subject(points)
    assert len(shown.layout.panels) == 3
    chart = throughput.draw(shown)
    assert chart is not None
    assert chart.wide
    assert "6 combinations with the fastest points are drawn; 6 more are in the table" in chart.caption
    assert "images=30" in chart.svg
    assert "images=10" not in chart.svg


def test_where_nothing_is_a_number_points_are_ranked() -> None:
    shown = subject([point("thread-w2", 100, ["mode"]), point("process-w2", 200, ["mode"])])
    assert throughput.draw(shown) is None
    names = [chart.name for section in sections_of(shown) for chart in section.charts]
    assert "ranking" in names
    assert "speed-up" not in names


def test_speed_up_and_efficiency_follow_from_throughput() -> None:
    line = [(1.0, point("thread-w1", 100)), (2.0, point("thread-w2", 180)), (4.0, point("thread-w4", 200))]
    assert [round(value, 3) for _, value in speed_up.speed_up(line)] == [1.0, 1.8, 2.0]
    assert [round(value, 1) for _, value in speed_up.efficiency_pct(line)] == [100.0, 90.0, 50.0]


def test_bounds_follow_from_the_record_and_the_lowest_binds() -> None:
    alone = point("process-w1", 90)  # 10 ms of worker time an image
    gil: GilRecord = {"wakeups": 100, "held_pct": 50.0, "probe_cpu_s": 0.0}
    one = point("process-w4", 190, cpu_s=1.0, collect_cpu_s=0.2, gil=gil)  # of 100 images
    bounds = bounds_of(one, alone)
    assert bounds is not None
    found = {bound.what: bound.images_per_s for bound in bounds.bounds}
    assert found["CPUs"] == pytest.approx(2 / 0.01)
    assert found["workers"] == pytest.approx(4 / 0.01)
    assert found["return path"] == pytest.approx(100 / 0.2)
    assert found["interpreter lock"] == pytest.approx(bounds.images_per_s / 0.5)
    assert bounds.bounds[0].what == "CPUs"
    assert bounds.verdict == "CPUs, 95 %"


def test_a_bound_that_is_far_away_does_not_bind() -> None:
    bounds = bounds_of(point("process-w4", 50), None)
    assert bounds is not None
    assert bounds.verdict == "none; nearest: CPUs, 25 %"


def test_what_starts_slower_and_works_faster_is_the_quicker_from_the_break_even_on() -> None:
    slow_start, fast_start = cost_of(point("process-w2", 200, startup_s=2.0)), cost_of(point("thread-w2", 100, startup_s=0.5))
    assert slow_start is not None
    assert fast_start is not None
    found = break_even(slow_start, fast_start)
    assert found is not None
    assert (found.sooner.label, found.later.label) == ("thread-w2", "process-w2")
    assert slow_start.total_s(found.images) <= fast_start.total_s(found.images)
    assert slow_start.total_s(found.images - 2) > fast_start.total_s(found.images - 2)
    assert quickest([slow_start, fast_start], 1) is fast_start
    assert break_even(slow_start, cost_of(point("b-w1", 300, startup_s=0.1)) or slow_start) is None


def test_where_a_consumer_was_fed_its_waits_and_its_steps_are_drawn() -> None:
    made = Steps(released_ns=0)
    for start in (0, 4, 8):
        made.add(start, start + 3, start + 4, 10, 0)
    fed = consumer_record(ConsumerReport(0.1, 0, (made,), {}))
    one = point("thread-w2", 100.0, consumer=fed)
    one.record["input"] = Fed(75, 1e9, 0.01).record()
    found = {chart.name: chart for section in sections_of(subject([one])) for chart in section.charts}
    assert found["waits"].description == "thread-w2: 75 %"
    assert found["steps"].description.startswith("thread-w2: 3 steps")
    (text,) = [section.text for section in sections_of(subject([one])) if section.id == "input"]
    assert text.startswith("thread-w2 is highly input-bound: 75 % of the step is waiting")
    without = {chart.name for section in sections_of(subject([point("thread-w2", 100.0)])) for chart in section.charts}
    assert not {"waits", "steps"} & without


def test_where_workers_vary_the_wait_is_drawn_against_them_with_the_break_even() -> None:
    points = [point(f"thread-w{workers}", 100.0 * workers) for workers in (1, 2, 4)]
    for one, waiting_pct in zip(points, (75, 50, 0), strict=True):
        one.record["input"] = Fed(waiting_pct, 1e9, 0.01).record()
    (chart,) = [chart for section in sections_of(subject(points)) for chart in section.charts if chart.name == "waits"]
    assert chart.description.endswith("0 % with 4 workers, break-even at 3.8")
    assert "3.8" in chart.svg
