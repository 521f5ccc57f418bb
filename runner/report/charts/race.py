"""A race: which points each round had, when each of the others left, and how much was still open."""

from __future__ import annotations

from runner.report.charts.groups import looks
from runner.report.paint import PAPER, QUIET, WIDTH, figure
from runner.report.subject import Subject
from runner.report.svg import Chart, as_svg

# More are not looked at; the table has them all.
MOST = 30


def draw(subject: Subject) -> Chart | None:
    """None where there was no race."""
    if not subject.race:
        return None
    names = [cells[0] for cells in subject.ranking[1:] if cells[0] in subject.places]
    shown, last = names[:MOST], subject.race[-1]["round"]
    colours = looks(subject)
    with figure(size=(2 * WIDTH, 1.2 + 0.27 * len(shown))) as (drawn, grid):
        axes = grid[0, 0]
        for height, name in enumerate(reversed(shown)):
            out = subject.out.get(name)
            end = last if out is None else out
            colour, marker, _ = colours[subject.places[name].series]
            axes.plot([0, end], [height, height], color=colour, linewidth=3, alpha=0.45, solid_capstyle="butt")
            axes.plot(
                [end], [height], color=colour, marker=marker if out is None else "x",
                markeredgecolor=PAPER if out is None else colour, linestyle="",
            )  # fmt: skip
            axes.annotate(
                _fate(subject, name), (1, height), xycoords=("axes fraction", "data"), xytext=(6, 0),
                textcoords="offset points", va="center", color=QUIET,
            )  # fmt: skip
        axes.set_yticks(range(len(shown)), list(reversed(shown)))
        axes.set_ylim(-0.7, len(shown) - 0.3)
        axes.set_xlim(0, last + 0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("rounds")
        description = "; ".join(f"{name}: {_fate(subject, name)}" for name in shown[:12])
        svg = as_svg(drawn, "race", f"The race, {last} rounds. {description}")
    more = f" The first {MOST} of {len(names)} are drawn; the table has them all." if len(names) > MOST else ""
    caption = (
        "Each line is a point, as long as it was measured. A point that another is proven to be better than leaves after the round; it is out at the "
        f"cross, and beside it is which point led then.{more}"
    )
    return Chart("race", "Who left when, and why", caption, description, svg, wide=True)


def _fate(subject: Subject, name: str) -> str:
    out = subject.out.get(name)
    if out is not None:
        leader = next(look["leader"] for look in subject.race if look["round"] == out)
        return f"out in round {out}, behind {leader}"
    look = subject.race[-1]
    if name != look["leader"]:
        return "may be best"
    return "leads" if look["bound_pct"] is None else f"leads, nothing more than {look['bound_pct']:.1f} % better"
