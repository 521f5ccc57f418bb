"""``runner history [--metric NAME]``: says where a metric has changed its level, over the runs of each configuration and host in MLflow.

Changes are found by E-divisive with permutation tests (Matteson & James, 2014), and what differed in the environment is shown for each.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import IO, cast, get_args

from runner.analysis.verdicts import better_if_more
from runner.config.metrics import MetricName
from runner.config.options import TrackingOption
from runner.disk import make_folder, write_atomically
from runner.display.console import print_line, short
from runner.display.history import print_history
from runner.errors import ConfigurationError
from runner.files import check_folder
from runner.record.history_schema import HistoryChange, HistoryJson, HistorySeries

_METRIC = "images_per_s"

# Changes are looked for in the newest runs of a series, so many: more would take minutes.
_MOST = 200


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument(
        "--metric", default=_METRIC, metavar="NAME", help=f"of which the runs are looked at; {_METRIC} if not given"
    )
    parser.add_argument("--since", metavar="DATE", help="leave out runs before this day or time, such as 2026-01-31")
    parser.add_argument("--uri", help="the MLflow tracking URI; by default the store in outputs/")
    parser.add_argument("--experiment", default=TrackingOption.experiment, help="the MLflow experiment")
    parser.add_argument("--json", action="store_true", help="print series and changes as JSON")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a page that shows the series")


def run(arguments: argparse.Namespace) -> int:
    """Read, look for changes and print."""
    known = [name for literal in get_args(MetricName) for name in (get_args(literal) or (literal,))]
    if arguments.metric not in known:
        raise ConfigurationError("--metric", arguments.metric, "there is no such metric", ", ".join(known))
    since = _since(arguments.since)
    if arguments.html is not None:
        check_folder("--html", arguments.html.absolute().parent)
    from runner.tracking.credentials import uri_without_credentials
    from runner.tracking.store import database_uri, refuse_missing

    uri = uri_without_credentials(arguments.uri or os.environ.get("MLFLOW_TRACKING_URI") or database_uri())
    refuse_missing(uri)
    history = _history(uri, arguments.experiment, cast("MetricName", arguments.metric), since)
    if arguments.json:
        print_line(json.dumps(history, indent=1, allow_nan=False))
    else:
        print_history(history)
    if arguments.html is not None:
        from runner.report.history import history_page

        path = arguments.html.absolute()
        make_folder(path.parent)
        write_atomically(path, partial(_write, history_page(history)))
        if not arguments.json:
            print_line(f"To look at: {short(path)}")
    return 0


def _history(uri: str, experiment: str, metric: MetricName, since: float) -> HistoryJson:
    from runner.analysis.change_points import LEAST
    from runner.tracking.history import differences_between, series_in

    found = series_in(uri, experiment, metric, since)
    for series in found:
        series["runs"] = series["runs"][-_MOST:]
        if len(series["runs"]) < 2 * LEAST:
            continue
        series["changes"] = found_in = _changes(series)
        for change in found_in:
            change["differences"] = differences_between(uri, change["last_before"], change["first_after"])
    return {"metric": metric, "more_is_better": better_if_more(metric), "least_runs": 2 * LEAST, "series": found}


def _changes(series: HistorySeries) -> list[HistoryChange]:
    from runner.analysis.change_points import changes

    runs = series["runs"]
    return [
        {
            "last_before": runs[one.at - 1]["run"],
            "first_after": runs[one.at]["run"],
            "at": runs[one.at]["at"],
            "before": one.before,
            "after": one.after,
            "p": one.p,
            "differences": None,
        }
        for one in changes([run["value"] for run in runs])
    ]


def _since(text: str | None) -> float:
    """As Unix time, in seconds."""
    try:
        return 0.0 if text is None else datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ConfigurationError(
            "--since", text, "is no date", "a day or a time, such as 2026-01-31 or 2026-01-31T12:00"
        ) from error


def _write(text: str, file: IO[str]) -> None:
    file.write(text)
