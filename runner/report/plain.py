"""The report for a terminal: the answer, the tables, and throughput as sparklines."""

from __future__ import annotations

import math

from rich.markup import escape
from rich.table import Table as Shown

from runner.display.console import console
from runner.display.words import self_check_text
from runner.record.reading import value_of
from runner.report import tables
from runner.report.answer import answer, warnings_by_kind
from runner.report.charts.groups import Line, panels_of
from runner.report.front_table import of_front
from runner.report.page import fits_of
from runner.report.subject import Subject
from runner.report.tables import Table

_BLOCKS = "▁▂▃▄▅▆▇█"
_STYLES = {"better": "green", "worse": "red", "unsure": "dim"}


def print_report(subject: Subject) -> None:
    """Print the report, as wide as the terminal is."""
    out = console()
    out.print(f"[bold]{escape(subject.title)}[/]\n")
    first, *others = answer(subject)
    out.print(first, style="bold", markup=False)
    for sentence in others:
        out.print(sentence, style="yellow", markup=False)
    out.print()
    for sparkline in sparklines(subject):
        out.print(sparkline, markup=False)
    shown = [
        tables.of_ranking(subject), of_front(subject), tables.of_failures(subject), tables.of_points(subject), tables.of_comparisons(subject), tables.of_bounds(subject),
        tables.of_amortisation(subject), tables.of_laws(fits_of(subject)),
    ]  # fmt: skip
    for table in shown:
        if table is not None:
            out.print()
            out.print(_table(table))
            out.print(table.note, style="dim", markup=False)
    out.print()
    if subject.self_check is not None:
        out.print(self_check_text(subject.self_check, trusted=subject.trusted), style="dim", markup=False)
    for warning in subject.warnings:
        out.print(f"Warning: {warning['message']}; {warning['advice']}", style="bold red", markup=False)
    for where, warning in warnings_by_kind(subject.points):
        out.print(f"Note on {where}: {warning['message']}; {warning['advice']}", style="yellow", markup=False)


def sparklines(subject: Subject) -> list[str]:
    """A line for each series: its name, its throughput along the horizontal axis, and its range. All share one scale from 0."""
    panels = panels_of(subject)
    x = subject.layout.x
    if not panels or x is None:
        return []
    highest = max(
        (value_of(point, "images_per_s") or 0.0) for lines in panels.values() for line in lines.values() for _, point in line
    )
    names = [f"{series} {panel}".strip() for panel, lines in panels.items() for series in lines]
    width = max(map(len, names))
    every = [line for lines in panels.values() for line in lines.values()]
    head = f"images per second by {x.name}, on a scale from 0 to {highest:.4g}"
    return [head, *(f"{name:<{width}}  {spark(line, highest)}  {_ends(line)}" for name, line in zip(names, every, strict=True))]


def spark(line: Line, highest: float) -> str:
    """One block for each point of a line; its height is the throughput's share of ``highest``."""
    shares = [(value_of(point, "images_per_s") or 0.0) / highest for _, point in line]
    return "".join(_BLOCKS[max(0, min(len(_BLOCKS) - 1, math.ceil(share * len(_BLOCKS)) - 1))] for share in shares)


def _ends(line: Line) -> str:
    best = max(line, key=lambda one: value_of(one[1], "images_per_s") or 0.0)
    return f"{line[0][0]:g} to {line[-1][0]:g}, most at {best[0]:g}: {value_of(best[1], 'images_per_s'):.4g}"


def _table(table: Table) -> Shown:
    shown = Shown(title=table.title, title_justify="left")
    for column in table.columns:
        shown.add_column(column.name, justify="right" if column.number else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(_styled(cell.text, cell.tone) for cell in row))
    return shown


def _styled(text: str, tone: str) -> str:
    return f"[{_STYLES[tone]}]{escape(text)}[/]" if tone else escape(text)
