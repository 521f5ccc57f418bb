"""Two objectives against each other, with the points that nothing beats."""

from __future__ import annotations

from runner.display.words import metric_name
from runner.record.metric_schema import MetricName
from runner.record.reading import PointRecord, value_of
from runner.report.charts.groups import looks
from runner.report.paint import HEIGHT, PAPER, QUIET, WIDTH, figure
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# So many points have their names beside them.
_NAMED = 16


def draw(subject: Subject) -> Chart | None:
    """The first two objectives of each point; None where there was one."""
    front = subject.front
    if front is None or len(front["points"]) < 2:
        return None
    across, up = front["objectives"][:2]
    beaten = {one["point"]: one["beaten_by"] is not None for one in front["points"]}
    points = [point for point in subject.good if point.label in beaten and {across, up} <= point.record["metrics"].keys()]
    places = {point.label: (_value(point, across), _value(point, up)) for point in points}
    look_of = looks(subject)
    with figure(size=(2 * WIDTH, 1.3 * HEIGHT)) as (drawn, grid):
        axes = grid[0, 0]
        for point in points:
            colour, marker, _ = look_of[subject.places[point.label].series]
            faint = beaten[point.label]
            axes.plot(
                *([value] for value in places[point.label]), marker=marker, linestyle="", color=colour, markeredgecolor=PAPER,
                markeredgewidth=0.8, markersize=5 if faint else 9, alpha=0.5 if faint else 1,
            )  # fmt: skip
        inside = [label for label in places if not beaten[label]]
        for label in inside[:_NAMED]:
            axes.annotate(label, places[label], xytext=(6, 5), textcoords="offset points", fontsize=8, color=QUIET)
        axes.set_xlabel(_with_unit(across))
        axes.set_ylabel(_with_unit(up))
        axes.margins(x=0.12, y=0.15)
        described = "; ".join(f"{label}: {x:.4g}, {y:.4g}" for label, (x, y) in places.items() if label in inside[:12])
        svg = as_svg(drawn, "front", f"{up} against {across}. Not beaten: {described}")
    caption = (
        "Medians over trials. Large and named: nothing is proven to beat it in all objectives together. Small: something is."
    )
    return Chart("front", f"{metric_name(up).capitalize()} against {metric_name(across)}", caption, described, svg, wide=True)


def _with_unit(metric: MetricName) -> str:
    words = metric_name(metric)
    return metric if words == metric else f"{words} ({metric})"


def _value(point: PointRecord, metric: MetricName) -> float:
    return value_of(point, metric) or 0.0
