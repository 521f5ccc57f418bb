"""Reads series of runs from an MLflow store: one for each configuration and host."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from runner.errors import RunnerError, TrackingError
from runner.host.environment import Difference, Environment, differences
from runner.record.history_schema import HistorySeries
from runner.record.reading import RESULT, read_result
from runner.tracking.connection import as_tracking_errors
from runner.tracking.fetch import fetch

_RUNS_AT_ONCE = 1000


def series_in(uri: str, experiment: str, metric: str, since: float) -> list[HistorySeries]:
    """The series of complete runs that have the metric and began at ``since`` (Unix time, seconds) or later, the longest first.

    Raises:
        TrackingError: there is no such experiment, or the store cannot be reached.
    """
    found: dict[tuple[str, str], HistorySeries] = {}
    with as_tracking_errors(uri):
        client = MlflowClient(tracking_uri=uri)
        there = client.get_experiment_by_name(experiment)
        if there is None:
            names = ", ".join(one.name for one in client.search_experiments())
            raise TrackingError(f"--experiment={experiment}: there is no such experiment in {uri}\n  accepted: {names}")
        runs = [run for run in _finished(client, there.experiment_id) if metric in run.data.metrics]
    for run in sorted(runs, key=lambda run: int(run.info.start_time)):
        tags = run.data.tags
        if run.info.start_time < since * 1000 or "config_hash" not in tags:
            continue
        key = tags["config_hash"], tags.get("host", "")
        series = found.setdefault(key, {"name": "", "config_hash": key[0], "host": key[1], "runs": [], "changes": None})
        series["name"] = tags.get("name") or run.info.run_name or ""  # as the newest run is called
        series["runs"].append({"run": run.info.run_id, "at": run.info.start_time / 1000, "value": run.data.metrics[metric]})
    return sorted(found.values(), key=lambda one: -len(one["runs"]))


def differences_between(uri: str, before: str, after: str) -> list[Difference] | None:
    """What differs between the environments of two runs; None where one has no record among its artifacts.

    Raises:
        TrackingError: the store cannot be reached.
    """
    then, now = (_environment(uri, run) for run in (before, after))
    return None if then is None or now is None else differences(then, now)


def _finished(client: MlflowClient, experiment_id: str) -> Iterator[Run]:
    page: str | None = None
    while True:
        runs: Sequence[Run] = client.search_runs(
            [experiment_id], "attributes.status = 'FINISHED'", max_results=_RUNS_AT_ONCE, page_token=page
        )
        yield from runs
        page = getattr(runs, "token", None)
        if not page:
            return


def _environment(uri: str, run: str) -> Environment | None:
    with tempfile.TemporaryDirectory(prefix="runner-history-") as into:
        try:
            return read_result(fetch(run, uri, Path(into)) / RESULT)["environment"]
        except TrackingError:
            raise
        except RunnerError:
            return None
