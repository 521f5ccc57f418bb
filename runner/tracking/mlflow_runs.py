"""Writes runs into an MLflow store, each exactly once, however often a record is logged.

A run is identified by the id of its record. Everything in the run comes from the record, also the times. So a run that is written a second
time, for example after a server has died, is completed, and nothing is doubled.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag
from omegaconf import OmegaConf

from runner.errors import TrackingError
from runner.host.flock import StillLocked, locked
from runner.record.reading import RESULT, SWEEP, PointRecord, SweepRecord
from runner.tracking.connection import Connection, as_tracking_errors, is_gone
from runner.tracking.content import RunContent, point_content, sweep_content

# The tags that identify a run and mark it as complete.
_KEY, _DIGEST, _COMPLETE = "record", "record.digest", "record.complete"
_PARENT = "mlflow.parentRunId"

# How long to wait while another program logs the same record.
_ALONE_S = 600

# MLflow's own limits for one call.
_METRICS_AT_ONCE = 1000
_RUNS_AT_ONCE = 1000

# If a store is slow, the rest is left for later after this many seconds, plus this many for each run.
_PATIENCE_S, _PATIENCE_A_RUN_S = 60.0, 2.0


def write_record(connection: Connection, record: PointRecord | SweepRecord) -> int:
    """Write a point, or a sweep with a parent run and one nested run for each point; returns how many runs were new or completed.

    If a point cannot be written, the others are written all the same.

    Raises:
        TrackingError: the store cannot be reached, or refused a part. What could be written is in the store.
    """
    with as_tracking_errors(connection.uri), _alone(record):
        if isinstance(record, PointRecord):
            written = int(_Writer(connection, record.id, [_KEY], 1).write(point_content(record, None), None)[1])
            connection.share_view(record.varying)
            return written
        parent, written = _write_sweep(connection, record)
        connection.share_view(record.varying, parent)
        return written


@contextlib.contextmanager
def _alone(record: PointRecord | SweepRecord) -> Iterator[None]:
    """Keep other programs from logging the same record meanwhile, by the lock of its own file: nothing is left anywhere."""
    path = record.folder / (SWEEP if isinstance(record, SweepRecord) else RESULT)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(path, _ALONE_S))
        except OSError:  # a disk without locks
            pass
        except StillLocked as error:
            raise TrackingError(f"{path}: another program has been logging it for {_ALONE_S} s, process {error.pid}") from error
        yield


def _write_sweep(connection: Connection, sweep: SweepRecord) -> tuple[str, int]:
    """Returns the id of the parent run, and how many runs were new or completed."""
    writer = _Writer(connection, sweep.id, [_KEY, "sweep"], 1 + len(sweep.measured))
    parent, new = writer.write(sweep_content(sweep), None, replace=False)
    written, refused = int(new), []
    for point in sweep.measured:
        try:
            written += writer.write(point_content(point, sweep), parent)[1]
        except Exception as error:  # the store may refuse this point for any reason
            if isinstance(error, TrackingError) or is_gone(error):
                raise
            refused.append((point.label, error))
    if refused:
        label, first = refused[0]
        raise TrackingError(f"{connection.uri}: {len(refused)} of {len(sweep.measured)} points were refused; {label}: {first}")
    return parent, written


def _is_complete(run: Run, parent: str | None) -> bool:
    tags = run.data.tags
    return tags.get(_COMPLETE) == "true" and tags.get(_PARENT) == parent and run.info.status != "RUNNING"


class _Writer:
    """Writes runs that share the value of a tag. The runs that the store already has are looked up once."""

    def __init__(self, connection: Connection, common: str, tags: Sequence[str], runs: int) -> None:
        self._client, self._experiment = connection.client, connection.experiment_id
        self._existing = {
            run.data.tags[_KEY]: run for tag in tags for run in self._search(tag, common) if _KEY in run.data.tags
        }
        self._limit = time.monotonic() + _PATIENCE_S + _PATIENCE_A_RUN_S * runs

    def _search(self, tag: str, value: str) -> Iterator[Run]:
        page: str | None = None
        while True:
            runs = self._client.search_runs(
                [self._experiment], f"tags.`{tag}` = '{value}'", max_results=_RUNS_AT_ONCE, page_token=page
            )
            yield from runs
            page = runs.token
            if not page:
                return

    def write(self, content: RunContent, parent: str | None, *, replace: bool = True) -> tuple[str, bool]:
        """Make sure that the store has a complete run of this content; returns its id, and whether anything had to be written.

        If the store has a run of the same record with other content, for example because a sweep was resumed, it is replaced by a new run,
        or with ``replace=False`` written again in its place.
        """
        if time.monotonic() > self._limit:
            raise TrackingError("the store is too slow; the missing runs can be logged later")
        run = self._existing.get(content.key)
        if run is not None and run.data.tags.get(_DIGEST) != content.digest:
            if replace:
                self._client.delete_run(run.info.run_id)
                run = None
            else:
                self._client.set_tag(run.info.run_id, _COMPLETE, "false")
        elif run is not None and _is_complete(run, parent):
            return str(run.info.run_id), False
        tags = {**content.tags, _KEY: content.key, _DIGEST: content.digest, **({_PARENT: parent} if parent else {})}
        if run is None:
            run = self._client.create_run(self._experiment, start_time=content.start_ms, tags=tags, run_name=content.name)
            tags = {}
        run_id = str(run.info.run_id)
        self._fill(run_id, content, tags)
        return run_id, True

    def _fill(self, run_id: str, content: RunContent, tags: dict[str, str]) -> None:
        client, status = self._client, "KILLED"
        try:
            self._log(run_id, content, tags)
            client.set_tag(run_id, _COMPLETE, "true")
            status = content.status
        except Exception as error:
            status = "" if is_gone(error) else "FAILED"  # a store that is gone cannot be given a status
            raise
        finally:
            if status:  # not left as RUNNING, not even by a signal
                client.set_terminated(run_id, status, end_time=content.end_ms)

    def _log(self, run_id: str, content: RunContent, tags: dict[str, str]) -> None:
        client = self._client
        params = [Param(key, value) for key, value in content.params.items()]
        metrics = [Metric(*value) for value in content.metrics]
        rest = [RunTag(key, value) for key, value in tags.items()]
        client.log_batch(run_id, metrics=metrics[: _METRICS_AT_ONCE - 200], params=params, tags=rest)
        for start in range(_METRICS_AT_ONCE - 200, len(metrics), _METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=metrics[start : start + _METRICS_AT_ONCE])
        if content.dataset is not None:
            used = InputTag("mlflow.data.context", "benchmark")
            client.log_inputs(run_id, [DatasetInput(Dataset(**content.dataset), [used])])
        for path, folder in content.files:
            client.log_artifact(run_id, str(path), folder)
        if content.config is not None:
            client.log_text(run_id, OmegaConf.to_yaml(OmegaConf.create(dict(content.config))), "config.yaml")
