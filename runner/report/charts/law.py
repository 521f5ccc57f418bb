"""The fitted scaling law and what was measured; beyond the measured points it is drawn as a prediction."""

from __future__ import annotations

from collections.abc import Mapping

from runner.analysis.scaling import Law
from runner.report.charts.groups import looks
from runner.report.paint import DASHES, GRID, PAPER, QUIET, SERIES, figure, label_lines, workers_axis
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg


def draw(subject: Subject, laws: Mapping[str, Law]) -> Chart | None:
    """The chart; None if no law fits well."""
    good = {name: law for name, law in laws.items() if law.good}
    if not good:
        return None
    most = max(max(law.residuals) for law in good.values())
    with figure() as (drawn, grid):
        axes = grid[0, 0]
        axes.axvspan(most, 2 * most, color=GRID, alpha=0.5, linewidth=0)
        ends = []
        for number, (name, law) in enumerate(good.items()):
            colour = looks(subject).get(name, (SERIES[number % len(SERIES)],))[0]
            least = min(law.residuals)
            xs = [least + (2 * most - least) * step / 120 for step in range(121)]
            drawn_at = [(x, y) for x in xs if (y := law.predicted(x)) is not None]
            axes.plot(*zip(*drawn_at, strict=True), color=colour, linewidth=1.2, linestyle=DASHES[1])
            measured = {workers: law.fitted_at(workers) * (1 + off) for workers, off in law.residuals.items()}
            axes.plot(list(measured), list(measured.values()), color=colour, marker="o", linestyle="", markeredgecolor=PAPER)
            ends.append((*drawn_at[-1], name, colour))
        axes.set_ylim(0, 1.12 * axes.get_ylim()[1])
        ticks = sorted({workers for law in good.values() for workers in law.residuals} | {2 * most})
        workers_axis(axes, ticks, "workers")
        axes.annotate("predicted", (most, 0), xytext=(4, 3), textcoords="offset points", color=QUIET, fontsize=8)
        axes.set_ylabel("images per second")
        label_lines(axes, ends)
        description = "; ".join(
            f"{name}: at most {max(map(abs, law.residuals.values())):.1%} off what was measured" for name, law in good.items()
        )
        svg = as_svg(drawn, "law", f"Universal Scalability Law. {description}.")
    caption = (
        "Dots are measured, lines are the Universal Scalability Law fitted to them; the grey part is beyond what was measured."
    )
    return Chart("law", "What more workers would bring: a prediction", caption, description, svg)
