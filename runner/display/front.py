"""The points that nothing beats in several objectives together: the same sentence and columns in the terminal, in Markdown and in the report."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from runner.display.words import metric_name, with_interval
from runner.record.metric_schema import MetricName
from runner.record.sweep_schema import SweepJson

# So many points are shown in the terminal, unless all are asked for; those that are beaten only with the rest.
SHOWN = 12


def front_text(record: SweepJson) -> str:
    """Which points are on the front, in a sentence; empty where one objective was asked for."""
    front = record.get("front")
    if front is None or not front["points"]:
        return ""
    inside = [one["point"] for one in front["points"] if one["beaten_by"] is None]
    names = ", ".join(inside[:SHOWN]) + (f" and {len(inside) - SHOWN} more" if len(inside) > SHOWN else "")
    beaten = len(front["points"]) - len(inside)
    rest = (
        f" {beaten} {'is' if beaten == 1 else 'are'} beaten by one of these." if beaten else " None is proven to beat another."
    )
    return f"Nothing is proven to beat {names} in {in_words(front['objectives'])} together.{rest}"


def in_words(objectives: Sequence[MetricName]) -> str:
    """The names of the objectives: ``images a second and memory``."""
    *first, last = map(metric_name, objectives)
    return f"{', '.join(first)} and {last}"


def front_columns(record: SweepJson) -> list[str]:
    """The headings; the first and the last are of text."""
    front = record.get("front")
    return ["point", *([] if front is None else front["objectives"]), "beaten by"]


def front_rows(record: SweepJson) -> list[list[str]]:
    """The cells of each point, those that nothing beats first."""
    front = record.get("front")
    if front is None:
        return []
    metrics = {point["name"]: point["metrics"] for point in record["points"]}
    order = {one["point"]: place for place, one in enumerate(record.get("ranking", []))}
    points = sorted(front["points"], key=lambda one: (one["beaten_by"] is not None, order.get(one["point"], len(order))))
    return [
        [
            one["point"],
            *(
                "-" if (found := metrics[one["point"]].get(name)) is None else with_interval(found)
                for name in front["objectives"]
            ),
            one["beaten_by"] or "",
        ]
        for one in points
    ]


def print_front(out: Console, record: SweepJson, *, everything: bool = False) -> None:
    """The sentence and the points that nothing beats; with ``everything`` the others too."""
    text = front_text(record)
    if not text:
        return
    out.print(text, style="bold", markup=False, soft_wrap=True)
    rows = [row for row in front_rows(record) if everything or not row[-1]]
    columns = front_columns(record) if everything else front_columns(record)[:-1]
    table = Table()
    for title in columns:
        table.add_column(title, justify="left" if title in {"point", "beaten by"} else "right", no_wrap=title == "point")
    for row in rows if everything else rows[:SHOWN]:
        table.add_row(*map(escape, row[: len(columns)]))
    out.print(table)
