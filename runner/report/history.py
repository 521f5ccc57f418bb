"""The page of ``runner history``: a chart of each series with its changes, and what differed at each."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from runner.display.history import cells_of, change_text, differences_text, is_worse, summary
from runner.record.history_schema import HistoryJson, HistorySeries
from runner.report.paint import INK, PAPER, SERIES, WIDTH, figure
from runner.report.svg import Chart, as_svg, schemes
from runner.report.templates import templates

_HEIGHT = 2.6

# The most series that are drawn, of those with runs enough; the table has them all.
_DRAWN = 30


def history_page(history: HistoryJson) -> str:
    """The page as HTML, in one file."""
    light, dark = schemes()
    looked_at = [one for one in history["series"] if one["changes"] is not None][:_DRAWN]
    charts = [(_drawn(number, one, history), _changes(one, history)) for number, one in enumerate(looked_at)]
    return (
        templates()
        .get_template("history.html.j2")
        .render(
            metric=history["metric"],
            rows=[cells_of(one, history["least_runs"]) for one in history["series"]],
            charts=charts,
            summary=summary(history),
            light=light,
            dark=dark,
            css=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        )
    )


def _changes(series: HistorySeries, history: HistoryJson) -> list[dict[str, object]]:
    return [
        {"text": change_text(one, history), "differences": differences_text(one), "worse": is_worse(one, history)}
        for one in series["changes"] or ()
    ]


def _drawn(number: int, series: HistorySeries, history: HistoryJson) -> Chart:
    """Each run as a dot, in their order; a line at the median of each level."""
    values = [run["value"] for run in series["runs"]]
    starts = {run["run"]: place for place, run in enumerate(series["runs"])}
    found = series["changes"] or []
    borders = [0, *(starts[one["first_after"]] for one in found), len(values)]
    levels = [found[0]["before"], *(one["after"] for one in found)] if found else []
    title = f"{series['name']} on {series['host']}"
    description = f"{len(values)} runs of {title}; {len(found)} changes"
    with figure(size=(2 * WIDTH, _HEIGHT)) as (drawn, grid):
        axes = grid[0, 0]
        axes.plot(
            range(len(values)), values, linestyle="", marker="o", color=SERIES[0], markeredgecolor=PAPER, markeredgewidth=0.7
        )
        for (start, end), level in zip(pairwise(borders), levels, strict=False):
            axes.plot([start - 0.4, end - 0.6], [level, level], color=INK, linewidth=1.4)
        axes.set_ylim(0, 1.15 * max(*values, 1e-12))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.set_xlabel("runs, in the order of time")
        axes.set_ylabel(history["metric"])
        svg = as_svg(drawn, f"history-{number}", description)
    return Chart(f"history-{number}", title, f"Configuration {series['config_hash']}.", description, svg, wide=True)
