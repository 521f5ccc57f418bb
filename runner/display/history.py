"""The history of a metric in the terminal, and its changes in words."""

from __future__ import annotations

import statistics
from datetime import datetime

from rich.markup import escape
from rich.table import Table

from runner.display.console import console, print_line
from runner.record.history_schema import HistoryChange, HistoryJson, HistorySeries

# The differences that are named of a change.
_NAMED = 6


def print_history(history: HistoryJson) -> None:
    """Print the series, then the changes, the newest first."""
    series = history["series"]
    if not series:
        print_line(f"No run has {history['metric']}.")
        return
    table = Table(title=f"{history['metric']} by configuration and host", title_justify="left")
    for title in ("configuration", "host", "runs", "first", "last", "median", "changes"):
        table.add_column(title, justify="left" if title in {"configuration", "host"} else "right", overflow="fold")
    for one in series:
        table.add_row(*map(escape, cells_of(one, history["least_runs"])))
    console().print(table)
    found = [(change, one) for one in series for change in one["changes"] or ()]
    for change, one in sorted(found, key=lambda pair: -pair[0]["at"]):
        style = "red" if is_worse(change, history) else "green"
        console().print(
            f"{one['name']} on {one['host']}: {change_text(change, history)}", style=style, markup=False, soft_wrap=True
        )
        print_line(f"  {differences_text(change)}")
    if not found:
        print_line(summary(history))


def summary(history: HistoryJson) -> str:
    """How many changes were found, and in how many series; one sentence."""
    least, looked_at = history["least_runs"], [one["changes"] for one in history["series"] if one["changes"] is not None]
    if not looked_at:
        return f"No series has the {least} runs that it takes to find a change."
    others = len(history["series"]) - len(looked_at)
    where = f"in {len(looked_at)} series"
    if others:
        where += f"; {others} more {'has' if others == 1 else 'have'} fewer than {least} runs"
    count = sum(map(len, looked_at))
    what = {0: "No change of level was found", 1: "The level has changed once"}.get(count, f"Levels have changed {count} times")
    return f"{what} {where}."


def cells_of(one: HistorySeries, least: int) -> list[str]:
    """A series as a row: its name, host, number of runs, first and last day, median, and how many changes it has."""
    runs = one["runs"]
    found = f"takes {least} runs" if one["changes"] is None else str(len(one["changes"]))
    median = statistics.median(run["value"] for run in runs)
    return [
        f"{one['name']} ({one['config_hash'][:8]})",
        one["host"],
        str(len(runs)),
        _day(runs[0]["at"]),
        _day(runs[-1]["at"]),
        f"{median:.4g}",
        found,
    ]


def change_text(change: HistoryChange, history: HistoryJson) -> str:
    """``since 2026-01-31 12:00 images_per_s is 188, before 200 (-6.0 %, p 0.002)``."""
    before, after = change["before"], change["after"]
    by = f"{(after / before - 1) * 100:+.1f} %, " if before else ""
    when = datetime.fromtimestamp(change["at"]).astimezone().strftime("%Y-%m-%d %H:%M")
    return f"since {when} {history['metric']} is {after:.4g}, before {before:.4g} ({by}p {change['p']:.3f})"


def differences_text(change: HistoryChange) -> str:
    """What differs between the two runs around a change."""
    differing = change["differences"]
    if differing is None:
        return "what differed is not known: one of the two runs has no record in MLflow"
    if not differing:
        return "nothing that was recorded of the environment differs"
    named = ", ".join(f"{one['what']}: {_shown(one['then'])} → {_shown(one['now'])}" for one in differing[:_NAMED])
    return named + (f", and {len(differing) - _NAMED} more" if len(differing) > _NAMED else "")


def is_worse(change: HistoryChange, history: HistoryJson) -> bool:
    """Whether the level is worse after it."""
    return (change["after"] < change["before"]) == history["more_is_better"]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d")


def _shown(value: object) -> str:
    return "none" if value is None else f"{value!s:.60}"
