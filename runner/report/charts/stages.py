"""Where the workers' time goes: reading, the task, the sink, and waiting."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runner.analysis.bounds import images_at_once
from runner.record.reading import PointRecord, good_trials, value_of
from runner.report.paint import QUIET, SERIES, WIDTH, figure, key_above
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# The most rows that are drawn; those with the best throughput are chosen.
MOST = 16

# A stage whose share never reaches this, in per cent, cannot be seen, so it is not named.
LEAST_SHARE = 0.5

Stage = Literal["read", "task", "sink"]

STAGES: Sequence[Stage] = ("read", "task", "sink")
_SECONDS: Mapping[Stage, Literal["read_s", "task_s", "sink_s"]] = {"read": "read_s", "task": "task_s", "sink": "sink_s"}
_COLOURS = {"read": SERIES[0], "task": SERIES[1], "sink": SERIES[2], "waiting": QUIET}


def draw(subject: Subject) -> Chart | None:
    """The chart; None if no point has figures."""
    points = list(subject.good)
    if len(points) > MOST:
        best = {point.label for point in sorted(points, key=lambda point: -(value_of(point, "images_per_s") or 0.0))[:MOST]}
        points = [point for point in points if point.label in best]
    rows = [(point, shares) for point in points if (shares := stage_shares(point))]
    if not rows:
        return None
    with figure(size=(2 * WIDTH, 1.15 + 0.3 * len(rows))) as (drawn, grid):
        axes = grid[0, 0]
        for height, (_, shares) in enumerate(reversed(rows)):
            _bar(axes, height, shares)
        named = [name for name in _COLOURS if any(shares[name] >= LEAST_SHARE for _, shares in rows)]
        key_above(axes, [(f"■ {name}", _COLOURS[name]) for name in named])
        axes.set_yticks(range(len(rows)), [point.label for point, _ in reversed(rows)])
        axes.set_ylim(-0.6, len(rows) - 0.1)
        axes.set_xlim(0, 100)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("% of the workers' time in the timed epochs")
        description = "; ".join(
            f"{point.label}: " + ", ".join(f"{name} {share:.0f} %" for name, share in shares.items())
            for point, shares in rows[:12]
        )
        svg = as_svg(drawn, "stages", f"Where the workers' time goes. {description}")
    caption = (
        "Medians over timed epochs, as shares of workers × wall-clock time. A stage includes its waits: for a disk, a network, a CPU or "
        "the interpreter lock. Waiting is the time in which a worker has no image."
    )
    return Chart("stages", "The workers' time, by stage", caption, description, svg, wide=True)


def stage_shares(point: PointRecord) -> dict[str, float]:
    """Per cent of workers × wall-clock time in each stage, and the rest, which is waiting; empty without figures.

    More images than workers can be in progress, because results may wait to be received. Stages may then sum to more than 100 %, and the
    shares are those of their sum.
    """
    epochs = [epoch for trial in good_trials(point) for epoch in trial["epochs"] if epoch["work_s"] and epoch["images_ok"]]
    if not epochs:
        return {}
    at_once = images_at_once(point)
    shares: dict[str, float] = {
        name: statistics.median(epoch[_SECONDS[name]] / (epoch["work_s"] * at_once) * 100 for epoch in epochs)
        for name in STAGES
    }
    whole = sum(shares.values())
    if whole > 100:
        return {**{name: share / whole * 100 for name, share in shares.items()}, "waiting": 0.0}
    return {**shares, "waiting": 100 - whole}


def _bar(axes: Any, height: int, shares: dict[str, float]) -> None:
    start = 0.0
    for name, share in shares.items():
        alpha = 0.3 if name == "waiting" else 0.9
        axes.barh(height, share, left=start, height=0.62, color=_COLOURS[name], alpha=alpha, linewidth=0)
        start += share
