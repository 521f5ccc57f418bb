"""The content of an MLflow run, made from a record on disk alone, so that a later call gives the same. MLflow is not needed here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runner.config.options import TrackingOption
from runner.config.options.tracking import is_free
from runner.config.registry import mode_of
from runner.display.words import cut_short_text
from runner.outside import plain_file
from runner.record.factors import flattened
from runner.record.metrics import summaries_of, trial_metrics, values_of
from runner.record.point_schema import ResultJson
from runner.record.reading import (
    REPORT,
    RESULT,
    SWEEP,
    PointRecord,
    SweepRecord,
    good_trials,
    median_trial,
    value_of,
    was_cut_short,
)
from runner.record.rows import image_files, samples_of_trial
from runner.record.trial_schema import TrialRecord
from runner.tracking.note import LeftOut, point_note, sweep_note
from runner.tracking.system import MEMORY, MOST_SAMPLES, system_metrics

# MLflow's own limits.
_PARAM_LENGTH = 6000
_TAG_LENGTH = 5000
_NAME_LENGTH = 250

_POINT_ARTIFACTS = (RESULT, "samples.csv", "trace.json", "profile.svg", "profile.txt", "runner.log")
_SWEEP_ARTIFACTS = (SWEEP, "comparison.md", REPORT)

# MLflow's words for how a run ended.
_STATUS = {"ok": "FINISHED", "failed": "FAILED", "timeout": "FAILED", "killed": "FAILED", "running": "KILLED"}


class Artifact(NamedTuple):
    """A file, and the folder among the run's artifacts for it; None is the top folder."""

    path: Path
    folder: str | None = None


class MetricValue(NamedTuple):
    """One value of a metric."""

    key: str
    value: float
    timestamp_ms: int
    step: int


@dataclass(frozen=True)
class RunContent:
    """One MLflow run.

    Attributes:
        key: the id of the record, which identifies the run.
        digest: of everything that the run is made from.
        status: in MLflow's words.
        start_ms, end_ms: Unix time. The difference is the time of the point's own trials, without the trials of other points in between.
        tags, params, metrics: as MLflow has them.
        dataset: name, digest, source and profile of the images; None for a sweep.
        files: to be logged as artifacts; rows of images only up to the size that the user allows.
        config: the resolved configuration; None for a sweep.
    """

    key: str
    digest: str
    name: str
    status: str
    start_ms: int
    end_ms: int
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Sequence[MetricValue]
    dataset: Mapping[str, str] | None
    files: Sequence[Artifact]
    config: Mapping[str, Any] | None


def point_content(point: PointRecord, sweep: SweepRecord | None) -> RunContent:
    """The run of a point that has a trial."""
    record = point.record
    start_ms, end_ms = _span_ms(record["trials"])
    verdicts = [] if sweep is None else sweep.comparisons_of(point)
    rows, left_out = _rows(point)
    tags = {
        **_common_tags(record),
        "config_hash": record["config_hash"],
        "status": record["status"],
        "folder": str(point.folder),
        "command": record["command"],
        "mlflow.note.content": _with_users_note(record, point_note(record, verdicts, point.folder, left_out)),
    }
    if len(point.label) > _NAME_LENGTH:
        tags["name"] = point.label
    if left_out is not None:
        tags["images"] = str(left_out.path)
    if record["error"] is not None:
        tags["error"] = f"{record['error']['type']}: {record['error']['message']}"
    if was_cut_short(record):
        tags["cut_short"] = cut_short_text(record)
    if sweep is not None:
        tags["sweep"] = sweep.id
    if digests := sorted({trial["digest"] for trial in record["trials"] if trial["digest"] is not None}):
        tags["digest"] = " ".join(digests)
    return RunContent(
        key=point.id,
        digest=_digest(record, verdicts),
        name=_short(point.label),
        status="KILLED" if was_cut_short(record) else _STATUS[record["status"]],
        start_ms=start_ms,
        end_ms=end_ms,
        tags=_cut(tags, _TAG_LENGTH),
        params=_cut(_params(record, point.varying), _PARAM_LENGTH),
        metrics=[*_metrics(point), *_system(point)],
        dataset=_dataset(record),
        files=[*_there(point.folder, _POINT_ARTIFACTS), *rows],
        config=record["config"],
    )


def sweep_content(sweep: SweepRecord) -> RunContent:
    """The parent run of a sweep."""
    measured = [point.record for point in sweep.measured]
    spans = [_span_ms(record["trials"]) for record in measured]
    trials = [trial for record in measured for trial in record["trials"]]
    first = measured[0]
    cut_short = any(was_cut_short(record) for record in measured) or len(measured) < len(sweep.record["points"])
    failed = any(record["status"] != "ok" for record in measured)
    end_ms = int(max(trial["ended_at"] for trial in trials) * 1000)
    answer = sweep.record.get("answer")
    return RunContent(
        key=sweep.id,
        digest=_digest(sweep.record, [point.id for point in sweep.measured]),
        name=_short(sweep.title),
        status="KILLED" if cut_short else "FAILED" if failed else "FINISHED",
        start_ms=min(start for start, _ in spans),
        end_ms=end_ms,
        tags=_cut(
            {
                **_common_tags(first),
                "host": ", ".join(dict.fromkeys(record["environment"]["host"] for record in measured)),
                "sweep": sweep.id,
                "folder": str(sweep.folder),
                "command": sweep.record["command"],
                "mlflow.note.content": _with_users_note(first, sweep_note(sweep.record, sweep.folder)),
                **({} if answer is None or answer["best"] is None else {"best": answer["best"]}),
            },
            _TAG_LENGTH,
        ),
        params={},
        metrics=list(_best(sweep, end_ms)),
        dataset=None,
        files=[
            *_there(sweep.folder, _SWEEP_ARTIFACTS),
            *_there(sweep.folder, sorted(path.name for kind in ("*.svg", "*.png") for path in sweep.folder.glob(kind))),
        ],
        config=None,
    )


def _best(sweep: SweepRecord, at_ms: int) -> Iterator[MetricValue]:
    """Of the point that leads: its images per second, and by how many per cent another may be better at most."""
    answer = sweep.record.get("answer")
    if answer is None or answer["best"] is None:
        return
    rates = [value_of(point, "images_per_s") for point in sweep.measured if point.label == answer["best"]]
    values = (("best_images_per_s", rates[0] if rates else None), ("best_bound_pct", answer["bound_pct"]))
    for name, value in values:
        if value is not None:
            yield MetricValue(name, value, at_ms, 0)


def _common_tags(record: ResultJson) -> dict[str, str]:
    """The user's own; then user, code and host, under the names by which MLflow itself would add them, if it has one."""
    environment = record["environment"]
    tags = {**_users_tags(record), "mlflow.source.name": "runner", "mlflow.source.type": "LOCAL", "host": environment["host"]}
    if environment["user"] is not None:
        tags["mlflow.user"] = environment["user"]
    if environment["git"] is not None:
        tags["mlflow.source.git.commit"] = environment["git"]["commit"]
        tags["git_dirty"] = str(environment["git"]["dirty"]).lower()
    return tags


def _users_tags(record: ResultJson) -> dict[str, str]:
    """``tracking.tags``, which older records lack; what no user could have chosen is left out of a record from elsewhere."""
    tags = record["config"]["tracking"].get("tags")
    if not isinstance(tags, dict):
        return {}
    return {name: str(value) for name, value in tags.items() if is_free(name) and isinstance(value, str | int | float)}


def _with_users_note(record: ResultJson, note: str) -> str:
    """The program's note below ``tracking.note``."""
    own = record["config"]["tracking"].get("note")
    return f"{own}\n\n{note}" if isinstance(own, str) and own else note


def _params(record: ResultJson, varying: Sequence[str]) -> dict[str, str]:
    """The main choices, the same ones in every run, and those that vary between the points of the sweep."""
    config = record["config"]
    params = {
        "mode": config["mode"]["name"],
        "workers": mode_of(config).effective_workers(config["workers"]),
        "threads_per_worker": config["mode"].get("threads_per_worker", 1),
        "tf.intra_op": config["tf"]["intra_op"],
        "tf.inter_op": config["tf"]["inter_op"],
        "images": config["images"],
        "source": config["source"]["name"],
        "task": config["task"]["name"],
        "sink": config["sink"]["name"],
    }
    flat = flattened(config)
    params |= {key: flat.get(key, "-") for key in varying if key not in {*params, "mode.threads_per_worker"}}
    return {key: str(value) for key, value in params.items()}


def _metrics(point: PointRecord) -> Iterator[MetricValue]:
    """The value of each trial with its round as the step; then the median over trials, because MLflow shows the last value."""
    good = good_trials(point)
    if not good:
        return
    for trial in good:
        at_ms = int(trial["ended_at"] * 1000)
        for name, value in values_of(trial_metrics(trial)):
            if value is not None:
                yield MetricValue(name, value, at_ms, trial["round"])
    last = max(trial["round"] for trial in good) + 1
    at_ms = int(max(trial["ended_at"] for trial in good) * 1000)
    for name, metric in summaries_of(point.record["metrics"]):
        if metric["value"] is not None:
            yield MetricValue(name, metric["value"], at_ms, last)


def _system(point: PointRecord) -> Iterator[MetricValue]:
    """The samples of one trial, the median one by throughput, which trace.json shows too; all trials together would be unreadable."""
    trial = median_trial(point.record) or point.record["trials"][-1]
    rows = samples_of_trial(point.folder, trial)
    for key, value, at_ms, step in system_metrics(rows, trial["cpus_usable"]):
        yield MetricValue(key, value, at_ms, step)
    pauses = [phase for phase in trial["phases"] if phase["name"] == "pause"]
    # The trial itself reads its memory when its workers are ready and after its last epoch. The monitor reads memory rarely, and never in
    # a short trial. Other pauses are for the page cache.
    for number, (pause, memory_bytes) in enumerate(
        zip(pauses[:1] + pauses[1:][-1:], trial.get("memory_at_pauses_bytes", []), strict=False)
    ):
        if memory_bytes is not None:
            yield MetricValue(f"system/{MEMORY}", round(memory_bytes * 1e-6, 3), int(pause["at"] * 1000), MOST_SAMPLES + number)


def _dataset(record: ResultJson) -> dict[str, str]:
    """The images as MLflow describes a dataset. The digest changes with any byte of the images, and with their order."""
    images, source = record["images"], record["config"]["source"]
    content = hashlib.sha256("".join(image["sha256"] for image in images).encode()).hexdigest()
    where = source.get("path")
    return {
        "name": source["name"] if where is None else f"{source['name']} {Path(where).name}",
        "digest": content[:16],
        "source_type": "local",
        "source": json.dumps(
            {"uri": where or source["name"], **{key: value for key, value in source.items() if key != "path"}}
        ),
        "profile": json.dumps({"different_images": len(images), "images_per_epoch": record["config"]["images"]}),
    }


def _span_ms(trials: Sequence[TrialRecord]) -> tuple[int, int]:
    start = min(trial["started_at"] for trial in trials)
    return int(start * 1000), int((start + sum(trial["ended_at"] - trial["started_at"] for trial in trials)) * 1000)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def _there(folder: Path, names: Sequence[str]) -> list[Artifact]:
    return [Artifact(path) for name in names if (path := plain_file(folder, name)) is not None]


def _rows(point: PointRecord) -> tuple[list[Artifact], LeftOut | None]:
    """The files with the rows of the point's images. If they are larger than the user allows, none of them, and what is left out."""
    limit_mb = point.record["config"]["tracking"].get("max_artifact_mb", TrackingOption.max_artifact_mb)
    paths = image_files(point.folder, [trial["round"] for trial in point.record["trials"] if trial["epochs"]])
    size_mb = sum(path.stat().st_size for path in paths) * 1e-6
    if size_mb > limit_mb:
        return [], LeftOut(paths[-1] if paths[-1].parent == point.folder else paths[-1].parent, size_mb, limit_mb)
    return [Artifact(path, None if path.parent == point.folder else path.parent.name) for path in paths], None


def _short(name: str) -> str:
    """A name that MLflow's table of runs has room for."""
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _cut(texts: Mapping[str, str], length: int) -> dict[str, str]:
    return {key: text if len(text) <= length else f"{text[: length - 1]}…" for key, text in texts.items()}
