"""The trials in the order in which they were run: what the machine did meanwhile, and what the baseline comes to against itself."""

from __future__ import annotations

import statistics

from runner.record.metrics import trial_metrics
from runner.record.reading import SELF_CHECK, PointRecord, good_trials
from runner.report.paint import GRID, PAPER, QUIET, SERIES, WIDTH, Chart, as_svg, figure, key_above
from runner.report.subject import Subject


def draw(subject: Subject) -> Chart | None:
    """None where there are fewer than three trials, or they are not of one record."""
    baseline = subject.by_label.get(subject.baseline or "")
    drawn_points = [*subject.good, *([subject.duplicate] if subject.duplicate else [])]
    found = {id(point): _relative(point) for point in drawn_points}
    begin = min((at for values in found.values() for at, _ in values), default=None)
    if begin is None or sum(map(len, found.values())) < 3:
        return None
    with figure(size=(2 * WIDTH, HEIGHT)) as (drawn, grid):
        axes = grid[0, 0]
        axes.axhspan(-2, 2, color=GRID, alpha=0.6, linewidth=0)
        for point in drawn_points:
            if point in (baseline, subject.duplicate):
                continue
            at, off = _minutes(found[id(point)], begin)
            axes.plot(at, off, color=QUIET, alpha=0.55, marker=".", linestyle="", markersize=4)
        ends = []
        for side, colour, marker, sign, name in (
            (baseline, SERIES[0], "o", "●", None),
            (subject.duplicate, SERIES[1], "s", "■", "its duplicate"),
        ):
            if side is not None and found.get(id(side)):
                at, off = _minutes(found[id(side)], begin)
                axes.plot(at, off, color=colour, marker=marker, linewidth=0.8, markeredgecolor=PAPER, markeredgewidth=0.7)
                ends.append((f"{sign} {name or side.label}", colour))
        key_above(axes, ends)
        axes.set_xlabel("minutes since the first trial")
        axes.set_ylabel("off the point's own median, %")
        every = [off for values in found.values() for _, off in values]
        axes.set_ylim(min(-5.0, 1.1 * min(every)), max(5.0, 1.1 * max(every)))
        description = f"{sum(map(len, found.values()))} trials; half of them within {statistics.median(map(abs, every)):.1f} % of their point's median"
        svg = as_svg(drawn, "noise", f"Trials in the order in which they were run. {description}.")
    caption = (
        "Each dot is a trial: its throughput against its own point's median, at the time at which it was run. Points that move together "
        "show a machine that drifts, which pairs within a round take out. The grey band is ± 2 %."
    )
    if subject.duplicate is not None:
        caption += f" The baseline was run twice in every round ({SELF_CHECK})."
    return Chart("noise", "Noise: the trials in their order", caption, description, svg, wide=True)


HEIGHT = 3.0


def _relative(point: PointRecord) -> list[tuple[float, float]]:
    """For each good trial its start, a Unix time, and its throughput ÷ the point's median − 1, in per cent."""
    rates = [(trial["started_at"], trial_metrics(trial)["images_per_s"]) for trial in good_trials(point)]
    known = [(at, rate) for at, rate in rates if rate]
    middle = statistics.median(rate for _, rate in known) if known else 1.0
    return sorted((at, (rate / middle - 1) * 100) for at, rate in known)


def _minutes(values: list[tuple[float, float]], begin: float) -> tuple[list[float], list[float]]:
    return [(at - begin) / 60 for at, _ in values], [off for _, off in values]
