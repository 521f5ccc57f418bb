"""Whether the consumer waits for its input: the wait in each point's step, and the steps of an epoch one after the other."""

from __future__ import annotations

from typing import Any

from runner.record.consumer import FedEpoch, InputRecord
from runner.record.reading import PointRecord, median_trial, value_of
from runner.report.paint import INK, SERIES, WIDTH, figure, key_above
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most rows of waits, and the most points whose steps are drawn.
MOST = 16
MOST_POINTS = 2

# Borders of the verdict, per cent of the step.
_BORDERS = (5, 20)

_BUSY, _WAIT = SERIES[0], SERIES[1]


def draw_waits(subject: Subject) -> Chart | None:
    """The share of the step in which each point's consumer waits; None where there is no consumer."""
    found = [(point, fed) for point in subject.good if (fed := point.record.get("input")) is not None]
    found = sorted(found, key=lambda one: -(value_of(one[0], "images_per_s") or 0.0))[:MOST]
    if not found:
        return None
    with figure(size=(2 * WIDTH, 1.15 + 0.3 * len(found))) as (drawn, grid):
        axes = grid[0, 0]
        for height, (_, fed) in enumerate(reversed(found)):
            axes.barh(height, fed["waiting_pct"], height=0.62, color=_WAIT, alpha=0.9, linewidth=0)
        for border in _BORDERS:
            axes.axvline(border, color=INK, linewidth=0.8, linestyle=":")
        axes.set_yticks(range(len(found)), [point.label for point, _ in reversed(found)])
        axes.set_ylim(-0.6, len(found) - 0.1)
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("% of the step in which the consumer waits")
        description = "; ".join(f"{point.label}: {fed['waiting_pct']:.0f} %" for point, fed in found[:12])
        svg = as_svg(drawn, "waits", f"How much of its step the consumer waits. {description}")
    caption = (
        "Medians over trials. Up to the first dotted line, 5 %, the consumer is not input-bound; up to the second, 20 %, moderately; beyond it "
        "highly."
    )
    return Chart("waits", "The consumer's wait", caption, description, svg, wide=True)


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
