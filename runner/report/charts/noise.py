"""The trials in the order in which they were run: how the machine drifted, and how far the baseline is from its own duplicate."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from runner.record.metrics import trial_metrics
from runner.record.reading import SELF_CHECK, PointRecord, good_trials
from runner.report.paint import GRID, PAPER, QUIET, SERIES, WIDTH, figure, key_above
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

HEIGHT = 3.0

# For each trial its start, a Unix time, and how far its throughput is off its point's median, in per cent.
Trials = list[tuple[float, float]]


def draw(subject: Subject) -> Chart | None:
    """The chart; None if there are fewer than three trials."""
    points = [*subject.good, *([subject.duplicate] if subject.duplicate else [])]
    trials = [(point, _relative(point)) for point in points]
    every = [off for _, values in trials for _, off in values]
    if len(every) < 3:
        return None
    begin = min(at for _, values in trials for at, _ in values)
    description = f"{len(every)} trials; half of them within {statistics.median(map(abs, every)):.1f} % of their point's median"
    with figure(size=(2 * WIDTH, HEIGHT)) as (drawn, grid):
        axes = grid[0, 0]
        axes.axhspan(-2, 2, color=GRID, alpha=0.6, linewidth=0)
        axes.set_xlabel("minutes since the first trial")
        axes.set_ylabel("off the point's own median, %")
        axes.set_ylim(min(-5.0, 1.1 * min(every)), max(5.0, 1.1 * max(every)))
        _draw_trials(axes, subject, trials, begin)
        svg = as_svg(drawn, "noise", f"Trials in the order in which they were run. {description}.")
    caption = (
        "Each dot is a trial: its throughput relative to the median of its point, at the time at which it was run. If points move together, "
        "the machine drifts; pairs within a round remove that. The grey band is ± 2 %."
    )
    if subject.duplicate is not None:
        caption += f" The baseline was run twice in every round ({SELF_CHECK})."
    return Chart("noise", "Noise: the trials in their order", caption, description, svg, wide=True)


def _draw_trials(axes: Any, subject: Subject, trials: Sequence[tuple[PointRecord, Trials]], begin: float) -> None:
    """Draw most points as grey dots, and the baseline and its duplicate as lines with a key."""
    baseline = subject.by_label.get(subject.baseline or "")
    key = []
    for point, values in trials:
        at, off = [(at - begin) / 60 for at, _ in values], [off for _, off in values]
        if point is baseline or point is subject.duplicate:
            colour, marker, sign = (SERIES[0], "o", "●") if point is baseline else (SERIES[1], "s", "■")
            axes.plot(at, off, color=colour, marker=marker, linewidth=0.8, markeredgecolor=PAPER, markeredgewidth=0.7)
            key.append((f"{sign} {point.label if point is baseline else 'its duplicate'}", colour))
        else:
            axes.plot(at, off, color=QUIET, alpha=0.55, marker=".", linestyle="", markersize=4)
    key_above(axes, key)


def _relative(point: PointRecord) -> Trials:
    """The trials that succeeded, in order of time."""
    rates = [(trial["started_at"], trial_metrics(trial)["images_per_s"]) for trial in good_trials(point)]
    known = [(at, rate) for at, rate in rates if rate]
    middle = statistics.median(rate for _, rate in known) if known else 1.0
    return sorted((at, (rate / middle - 1) * 100) for at, rate in known)
