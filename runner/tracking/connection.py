"""Opens an MLflow store, local or on a server. Whatever is wrong with the store, it takes seconds and gives one message.

This module imports MLflow, which takes seconds, so it must be imported after all timing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Before MLflow is imported, because otherwise one of its threads sends usage data.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow would print two lines for each run; the program prints one address for all of them.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that hangs, or asks to be tried again in an hour, costs seconds.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
os.environ.setdefault("MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER", "false")

from mlflow import MlflowClient, __version__
from mlflow.exceptions import MlflowException

from runner.disk import make_folder
from runner.display.console import print_error
from runner.errors import TrackingError
from runner.files import outputs
from runner.host.flock import file_lock
from runner.secrets import masked
from runner.tracking import bounded_answers
from runner.tracking.creation import create_database
from runner.tracking.store import artifacts_beside, database_file, database_uri

# A server whose answer drips, or has no end, costs no more.
bounded_answers.apply(float(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]))

# Warnings help the user; notes on creating tables do not.
for _talkative in ("mlflow", "alembic"):
    logging.getLogger(_talkative).setLevel(logging.WARNING)
# urllib3 warns of each retry, and the store logs a traceback of each error that it raises. One error message is enough.
logging.getLogger("urllib3").setLevel(logging.ERROR)
logging.getLogger("mlflow.store.db").setLevel(logging.CRITICAL)

# Without a kind, MLflow shows an experiment as one of language models, without a table of runs.
_KIND = {"mlflow.experimentKind": "custom_model_development"}

# A saved view that gives MLflow's table of runs its columns. By default the table shows no metric and no param.
_VIEW = "runner"
_VIEW_TAG = f"mlflow.sharedViewState.{_VIEW}"
_PARAMS = ("mode", "workers", "tf.intra_op", "source")
_BEST = ("best_images_per_s", "best_bound_pct")  # of a sweep's own run
_METRICS = ("images_per_s", "startup_s", "latency_p95_ms", "cpu_s_per_image", "cpu_utilization_pct", "peak_memory_mb")


_HALF_MADE = (
    "is another program's, or only half made: a program was ended while it made it. Move it away, or name another; what was in it comes back by "
    "syncing the folders with the records"
)

# Texts by which an error from below MLflow is recognised, and the reason for the user; {uri} is the store's address.
_REASONS = (
    (("Connection refused",), "nothing answers there (connection refused)"),
    (("NameResolutionError", "Name or service not known"), "there is no such host"),
    (("timed out", "Timeout"), f"no answer within {os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT']} s"),
    ((bounded_answers.TOO_MUCH,), f"the server's answer {bounded_answers.TOO_MUCH}"),
    (
        ("OperationalError) table", "duplicate column name", "no such table"),
        _HALF_MADE,
    ),
    (("disk is full", "No space left on device"), "the disk is full"),
    (("RemoteDisconnected", "Connection aborted", "ConnectionReset"), "the server broke the connection"),
    (
        ("out-of-date database schema", "Can't locate revision"),
        (
            f"was made by another version of MLflow than {__version__}, which is used here. Use that version; or, if it was older, make a "
            "backup and run: mlflow db upgrade {uri}"
        ),
    ),
)


@dataclass(frozen=True)
class Connection:
    """A store in which runs can be made.

    Attributes:
        client: of the store.
        uri: its address.
        experiment_id: of the experiment that the runs go to.
    """

    client: MlflowClient
    uri: str
    experiment_id: str

    def share_view(self, varying: Sequence[str], unfolded: str | None = None) -> None:
        """Let the table of runs show the main metrics and choices, what varied in the latest sweep, and that sweep's points.

        Args:
            varying: the choices that differ between the points of the newest record.
            unfolded: the run of the newest sweep, whose points are shown below it.
        """
        columns = ["tags.`best`", *(f"metrics.`{name}`" for name in _BEST)]
        columns += [f"params.`{name}`" for name in dict.fromkeys([*_PARAMS, *varying])]
        columns += [f"metrics.`{name}`" for name in _METRICS] + ["attributes.`Dataset`"]
        view: dict[str, Any] = {
            "searchFilter": "",
            "orderByKey": "attributes.start_time",
            "orderByAsc": False,
            "selectedColumns": columns,
            "runsExpanded": {} if unfolded is None else {unfolded: True},
        }
        self.client.set_experiment_tag(self.experiment_id, _VIEW_TAG, json.dumps(view))


def page_of(server: str, experiment_id: str) -> str:
    """The address of the table of runs on this server."""
    return f"{server.rstrip('/')}/#/experiments/{experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW}"


def connect(uri: str | None, experiment: str) -> Connection:
    """Open a store; it and the experiment are made if they do not exist.

    Args:
        uri: the tracking URI; None for the local store under ``outputs/``.
        experiment: its name.

    Raises:
        TrackingError: it cannot be opened.
    """
    if uri is None:
        uri = database_uri()
    with as_tracking_errors(uri):
        if not _is_utf_8(uri):
            raise TrackingError("MLflow takes no folder whose name is not UTF-8; another one, or tracking=server, would do")
        if uri == database_uri():
            make_folder(outputs())
        database = database_file(uri)
        if database is None:
            client = MlflowClient(tracking_uri=uri)
            return Connection(client, uri, _experiment(client, experiment, None))
        _probe(database)
        # Several programs that create one fresh database at once break each other.
        with file_lock(database.with_name(".mlflow.lock"), wait_s=120, tell=print_error):
            if not database.exists():
                create_database(database)
            client = MlflowClient(tracking_uri=uri)
            return Connection(client, uri, _experiment(client, experiment, artifacts_beside(database)))


def _is_utf_8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def as_tracking_errors(uri: str) -> Iterator[None]:
    """Turn every error of MLflow, and of what is below it, into a TrackingError of one line."""
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(f"{masked(uri)}: {_reason(error).replace('{uri}', masked(uri))}") from error


def is_gone(error: BaseException | None) -> bool:
    """Whether an error means that the store cannot be used at all, and not only that it refused one request."""
    text = str(error)
    codes = re.search(r"error code (\d+)", text)
    return (
        any(sign in text for sign in ("Max retries exceeded", "timed out", "Connection", "disk is full", "readonly", "locked"))
        or isinstance(error, OSError)
        or (codes is not None and int(codes[1]) >= 500)
    )


def _reason(error: Exception) -> str:
    text = str(error)
    for signs, reason in _REASONS:
        if any(sign in text for sign in signs):
            return reason
    if failed := re.search(r"(?:too many |error code )(\d{3})", text):
        return f"the server answered {failed[1]}" + ("" if failed[1] >= "500" else f": {masked(_first_line(text))}")
    if below := re.search(r"^\(\w+(?:\.\w+)+\) (.+)$", text, re.MULTILINE):  # SQLAlchemy's line about the database's own error
        return masked(_first_line(below[1]))
    return masked(_first_line(text) or type(error).__name__)


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0][:400]


def _probe(database: Path) -> None:
    """Raise TrackingError if the file is no database or cannot be written; MLflow would try for minutes."""
    if not database.exists():
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=30)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE runner_probe (x)")  # fails if the file cannot be written; nothing else shows that
            connection.rollback()
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.Error as error:
        raise TrackingError(f"{database}: {error}; move it away, or repair it") from error
    if tables and "alembic_version" not in tables:
        raise TrackingError(f"{database}: {_HALF_MADE}")


def _experiment(client: MlflowClient, name: str, artifacts: str | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts, tags=_KIND))
        except MlflowException:
            experiment = client.get_experiment_by_name(name)  # another program was quicker
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the experiment {name} has been deleted; restore it in MLflow, or take another tracking.experiment"
        )
    if not {tag for tag in _KIND if tag in experiment.tags}:
        for key, value in _KIND.items():
            client.set_experiment_tag(experiment.experiment_id, key, value)
    return str(experiment.experiment_id)
