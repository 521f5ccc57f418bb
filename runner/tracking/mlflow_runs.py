"""One MLflow run for each point. This module imports MLflow, which takes seconds: import it after the timing."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Before MLflow is imported: otherwise a thread of it calls home.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that hangs costs seconds, not minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException
from mlflow.tracking.context.registry import resolve_tags
from omegaconf import OmegaConf

from runner.config.check import plain
from runner.config.options import Server
from runner.errors import TrackingError
from runner.folders import outputs, write_atomically
from runner.point import Point
from runner.results import trial_metrics
from runner.tracking.store import artifacts_uri, database_uri

# Their notes on making tables are of no use to the user; their warnings are.
for _talkative in ("mlflow", "alembic"):
    logging.getLogger(_talkative).setLevel(logging.WARNING)

# MLflow's own limits.
_PARAM_LENGTH = 6000
_TAG_LENGTH = 5000

_ARTIFACTS = ("result.json", "images.csv", "samples.csv", "trace.json", "runner.log")


def log_points(points: Sequence[Point], sweep: Path | None) -> str:
    """Log every point; returns the tracking URI.

    Raises:
        TrackingError: the store cannot be reached or written.
    """
    tracking = points[0].config.tracking
    uri = tracking.uri if isinstance(tracking, Server) else database_uri()
    try:
        client, experiment = _opened(uri, tracking.experiment, local=not isinstance(tracking, Server))
        for point in points:
            run_id = _log_point(client, experiment, point, sweep)
            _take_the_place_of_an_earlier_run(client, uri, run_id, point)
    except TrackingError:
        raise
    except Exception as error:  # whatever a store makes MLflow or what is below it trip over: the record is on disk
        raise TrackingError(f"{uri}: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
    return uri


def _opened(uri: str, name: str, *, local: bool) -> tuple[MlflowClient, str]:
    """A client on the store and the id of the experiment, both made if they are not there yet."""
    if not local:
        client = MlflowClient(tracking_uri=uri)
        return client, _experiment(client, name, None)
    outputs().mkdir(parents=True, exist_ok=True)
    _probe(outputs() / "mlflow.db")
    # Several programs that create one fresh database at once break each other.
    with FileLock(outputs() / ".mlflow.lock", timeout=120):
        client = MlflowClient(tracking_uri=uri)
        return client, _experiment(client, name, artifacts_uri())


def _probe(database: Path) -> None:
    """Raise TrackingError for what is no database that can be written: MLflow would try for minutes."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
    except sqlite3.Error as error:
        raise TrackingError(f"{database}: {error}; move it away, or mend it") from error


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the experiment {name} has been deleted; restore it in MLflow, or take another tracking.experiment"
        )
    return str(found.experiment_id)


def _take_the_place_of_an_earlier_run(client: MlflowClient, uri: str, run_id: str, point: Point) -> None:
    """A point that was interrupted and resumed is one run: the one that holds all of it."""
    note = point.folder / "mlflow.json"
    if note.is_file():
        earlier = json.loads(note.read_text(encoding="utf-8"))
        if earlier["uri"] == uri:
            client.delete_run(earlier["run_id"])
    write_atomically(note, lambda file: print(json.dumps({"uri": uri, "run_id": run_id}), file=file))


def _log_point(client: MlflowClient, experiment: str, point: Point, sweep: Path | None) -> str:
    run = client.create_run(experiment, run_name=point.name, tags=_tags(point, sweep), start_time=_start_ms(point))
    run_id = run.info.run_id
    ended = False
    try:
        params = [Param(key, value[:_PARAM_LENGTH]) for key, value in flat_params(point)]
        client.log_batch(run_id, params=params)
        metrics = list(_metrics(point))
        for start in range(0, len(metrics), 1000):
            client.log_batch(run_id, metrics=metrics[start : start + 1000])
        client.log_text(run_id, OmegaConf.to_yaml(OmegaConf.create(plain(point.config))), "config.yaml")
        for name in _ARTIFACTS:
            if (path := point.folder / name).is_file():
                client.log_artifact(run_id, str(path))
        if point.error is not None:
            error = point.error
            client.set_tag(run_id, "error", f"{error['type']}: {error['message']}"[:_TAG_LENGTH])
        client.set_terminated(run_id, _status(point), end_time=int(time.time() * 1000))
        ended = True
    finally:
        if not ended:
            # Not left as RUNNING; if even this fails, the first error is the one to tell.
            _try_to_end(client, run_id)
    return str(run_id)


def _status(point: Point) -> str:
    if point.has_failed:
        return "FAILED"
    return "KILLED" if point.interrupted else "FINISHED"


def _try_to_end(client: MlflowClient, run_id: str) -> None:
    try:
        client.set_terminated(run_id, "FAILED")
    except (MlflowException, OSError):
        return


def flat_params(point: Point) -> Iterator[tuple[str, str]]:
    """The configuration as flat names and texts: ``mode`` is the option's name, ``mode.start_method`` its field."""

    def walk(prefix: str, node: dict[str, Any]) -> Iterator[tuple[str, str]]:
        for key, value in node.items():
            name = f"{prefix}{key}"
            if isinstance(value, dict):
                yield from walk(f"{name}.", value)
            elif key == "name":
                yield prefix.rstrip("."), str(value)
            else:
                yield name, str(value)

    yield from walk("", {key: value for key, value in plain(point.config).items() if key != "tracking"})


def _metrics(point: Point) -> Iterator[Metric]:
    """The value of each trial as a step, and last the median over trials, which MLflow then shows as the metric's value."""
    now = int(time.time() * 1000)
    good = [trial for trial in point.trials if trial["status"] == "ok"]
    for trial in good:
        for name, value in trial_metrics(trial).items():
            if value is not None:
                yield Metric(name, value, now, trial["round"])
    last = max((trial["round"] for trial in good), default=0) + 1
    for name, metric in point.metrics.items():
        if metric["value"] is not None:
            yield Metric(name, metric["value"], now, last)


def _tags(point: Point, sweep: Path | None) -> dict[str, str]:
    # MLflow adds user, source and commit only to runs made by its fluent interface; these are the same.
    tags: dict[str, str] = dict(resolve_tags())
    tags |= {
        "config_hash": point.hash,
        "status": point.status,
        "folder": str(point.folder),
        "host": str(point.record()["environment"]["host"]),
        "command": point.record()["command"][:_TAG_LENGTH],
    }
    if sweep is not None:
        tags["sweep"] = f"{sweep.parent.name}/{sweep.name}"
    if point.digests:
        tags["digest"] = " ".join(sorted(point.digests))
    return tags


def _start_ms(point: Point) -> int:
    """When the first trial's first sample was taken, milliseconds of Unix time."""
    if point.series and point.series[0].samples:
        first = point.series[0]
        return int((first.samples[0].at_ns * 1e-9 + first.wall_offset_s) * 1000)
    return int(time.time() * 1000)
