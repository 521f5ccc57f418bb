"""The steps of an epoch, one after the other: how long the consumer is busy in each, and how long it waits for it."""

from __future__ import annotations

from typing import Any

from runner.record.consumer_schema import FedEpoch, InputRecord
from runner.record.reading import PointRecord, median_trial
from runner.report.paint import SERIES, WIDTH, figure, key_above
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most points whose steps are drawn.
MOST_POINTS = 2

_BUSY, _WAIT = SERIES[0], SERIES[1]


def draw_steps(subject: Subject) -> Chart | None:
    """The steps of the last timed epoch of the median trial; None where there are none."""
    shown = [(point, epoch) for point in subject.shown_in_detail if (epoch := _last_epoch(point)) is not None][:MOST_POINTS]
    if not shown:
        return None
    with figure(len(shown), 1, size=(2 * WIDTH, 2.1 * len(shown) + 0.3)) as (drawn, grid):
        for axes, (point, epoch) in zip(grid[:, 0], shown, strict=True):
            _draw(axes, epoch)
            axes.set_title(point.label)
        grid[-1, 0].set_xlabel("step of the last timed epoch")
        words = "; ".join(
            f"{point.label}: {epoch['steps']} steps, {epoch['busy_s']:.3g} s busy, {epoch['wait_s']:.3g} s waiting"
            for point, epoch in shown
        )
        svg = as_svg(drawn, "steps", f"The consumer's steps. {words}.")
    caption = "A bar for each step, or for some together where there are many: the time in which the consumer was busy, and the wait before it."
    return Chart("steps", "The consumer's steps", caption, words, svg, wide=True)


def verdicts(subject: Subject) -> str:
    """The verdict on the best point's input in a sentence; empty where there is no consumer."""
    fed: InputRecord | None = None if subject.best is None else subject.best.record.get("input")
    if fed is None or subject.best is None:
        return ""
    return f"{subject.best.label} is {fed['text']}."


def _last_epoch(point: PointRecord) -> FedEpoch | None:
    trial = median_trial(point.record)
    consumer = None if trial is None else trial.get("consumer")
    return consumer["epochs"][-1] if consumer is not None and consumer["epochs"] and consumer["epochs"][-1]["steps"] else None


def _draw(axes: Any, epoch: FedEpoch) -> None:
    timeline = epoch["timeline"]
    each, places = timeline["steps_each"], range(len(timeline["busy_s"]))
    at = [place * each + (each - 1) / 2 for place in places]
    busy_ms, wait_ms = ([second * 1e3 / each for second in seconds] for seconds in (timeline["busy_s"], timeline["wait_s"]))
    axes.bar(at, wait_ms, width=0.9 * each, color=_WAIT, linewidth=0)
    axes.bar(at, busy_ms, width=0.9 * each, bottom=wait_ms, color=_BUSY, linewidth=0)
    axes.set_ylabel("ms a step")
    axes.grid(visible=False, axis="x")
    key_above(axes, [("■ waiting", _WAIT), ("■ busy", _BUSY)])
