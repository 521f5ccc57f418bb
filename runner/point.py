"""A point of a sweep: one configuration, its images, its folder, and what has been measured of it so far."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from omegaconf import DictConfig

from runner.config.check import config_hash, plain, typed
from runner.config.cpus import cpus_of
from runner.config.options import Cache, Config, FilesOption, Sequential
from runner.environment import environment, usable_cpus
from runner.errors import ConfigurationError, TrialError
from runner.folders import check_temporary_folder, write_atomically
from runner.modes import ModePlan
from runner.monitor.series import Series, write_samples
from runner.pipeline import PipelinePlan
from runner.records import Record
from runner.registry import module_of
from runner.results import SCHEMA_VERSION, point_metrics
from runner.secrets import masked_data, masked_override
from runner.services import Served
from runner.sources import Image, images_of
from runner.tensorflow_threads import ThreadLimits
from runner.trial.messages import Report, TrialPlan
from runner.trial.page_cache import CachePlan

if TYPE_CHECKING:
    from runner.protocol.warnings import Warning  # noqa: A004

_IMAGE_COLUMNS = (
    "round", "epoch", "item", "image", "worker", "thread", "node", "status", "start_s", "read_s", "task_s", "sink_s",
    "error",
)  # fmt: skip


@dataclass
class Point:
    """One configuration and what came of it.

    Attributes:
        config: typed and checked.
        images: the different images, inspected.
        overrides: what the user chose, as on the command line.
        folder: where its record goes.
        trials: the records of the trials so far, in the order of their rounds.
        series: the monitor's samples of each trial of this session.
        interrupted: whether the user stopped the session before all rounds were run.
        id: of this record, wherever it is copied to; a resumed point keeps it.
        recorded: the content of ``result.json``, where another process has measured the point, on another host perhaps.
        lost: why that process left no record, or one that is not complete; None where it is complete.
    """

    config: Config
    images: Sequence[Image]
    overrides: Sequence[str]
    folder: Path
    gpus: int = 0
    trials: list[dict[str, Any]] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    interrupted: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    recorded: Mapping[str, Any] | None = None
    lost: TrialError | None = None

    @classmethod
    def prepared(cls, composed: DictConfig, overrides: Sequence[str], folder: Path) -> Point:
        """Check everything that can be checked before a process is started; nothing is written.

        Raises:
            ConfigurationError: it cannot be run.
        """
        config = typed(composed)
        check_temporary_folder()
        images = images_of(config.source, config.images)
        return cls(config=config, images=images, overrides=list(overrides), folder=folder)

    @property
    def name(self) -> str:
        """Short, for tables and for MLflow: ``process-w10``, ``process-w5x3`` with three threads a worker."""
        if isinstance(self.config.mode, Sequential):
            return self.config.mode.name  # it has one worker, whatever it is told
        threads = getattr(self.config.mode, "threads_per_worker", 1)
        return f"{self.config.mode.name}-w{self.config.workers}" + (f"x{threads}" if threads > 1 else "")

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """The CPUs that its trials are kept to; None for all that this program may use."""
        return None if self.config.affinity is None else cpus_of(self.config.affinity)

    @property
    def cpus_usable(self) -> float:
        """How many CPUs a trial may use: by its affinity, or by the control group's quota where that is less."""
        return usable_cpus(None if self.cpus is None else len(self.cpus))

    @property
    def spool(self) -> Path:
        """The file in which a trial keeps records that are too many for its memory, until they have been written as they should be."""
        return self.folder / ".records"

    @property
    def hash(self) -> str:
        return config_hash(self.config)

    @property
    def status(self) -> str:
        """``ok`` if every trial was; otherwise that of the first that was not; ``killed`` where it was stopped, or has not begun."""
        failed = next((trial["status"] for trial in self.trials if trial["status"] != "ok"), None)
        if failed is None and self.lost is not None:
            return self.lost.status
        return failed or ("ok" if self.trials and not self.interrupted else "killed")

    @property
    def error(self) -> dict[str, Any] | None:
        """Type, message and traceback of the first trial's that failed; None if none did."""
        failed = next((trial["error"] for trial in self.trials if trial["error"] is not None), None)
        if failed is None and self.lost is not None:
            return {"type": self.lost.kind, "message": str(self.lost), "traceback": self.lost.remote_traceback}
        if failed is None and self.interrupted:
            done = f"interrupted after {len(self.trials)} of {self.config.protocol.rounds} rounds"
            return {"type": "Interrupted", "message": done, "traceback": None}
        return failed

    @property
    def has_failed(self) -> bool:
        """Whether one of its trials failed, so that it is not tried again, or it was lost."""
        return self.lost is not None or any(trial["status"] != "ok" for trial in self.trials)

    @property
    def host(self) -> str | None:
        """The name of the host on which it was measured; None where it was not."""
        made_on = environment() if self.recorded is None else self.recorded["environment"]
        return str(made_on["host"]) if self.trials else None

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return point_metrics(self.trials)

    @property
    def objective(self) -> float | None:
        """What a sweeper is told: the median of the metric that ``objective`` names; None where the point failed."""
        return None if self.error is not None else self.metrics[self.config.objective]["value"]

    @property
    def digests(self) -> set[str]:
        return {trial["digest"] for trial in self.trials if trial["digest"] is not None}

    def trial_plan(self, served: Served) -> TrialPlan:
        """What one trial of this point is built from, with the servers that were started for it."""
        config = self.config
        pipeline = PipelinePlan(
            images=served.images,
            source_module=module_of("source", served.source.name),
            source=served.source,
            task_module=module_of("task", config.task.name),
            task=config.task,
            sink_module=module_of("sink", config.sink.name),
            sink=served.sink,
        )
        return TrialPlan(
            mode_module=module_of("mode", config.mode.name),
            mode=ModePlan(
                config.mode, config.workers, ThreadLimits(config.tf.intra_op, config.tf.inter_op), pipeline, str(self.spool)
            ),
            items=config.images,
            epochs=config.protocol.epochs,
            warmup_epochs=config.protocol.warmup_epochs,
            log=str(self.folder / "runner.log"),
            cpus=self.cpus,
            gil_probe=config.monitor.gil_probe,
            cache=self._cache_plan(),
        )

    def _cache_plan(self) -> CachePlan:
        source = self.config.source
        if not isinstance(source, FilesOption) or source.cache is Cache.as_is:
            return CachePlan()
        return CachePlan(source.cache, tuple(dict.fromkeys(image.path for image in self.images)))

    def record(self) -> dict[str, Any]:
        """The content of ``result.json`` as far as it is known; no secret is in it."""
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "overrides": [masked_override(word) for word in self.overrides],
            "config": plain(self.config),
            "config_hash": self.hash,
            "command": command(["runner", *(masked_override(word) for word in self.overrides)]),
            "environment": environment(),
            "images": [
                {"path": image.where, "width": image.width, "height": image.height, "sha256": image.digest}
                for image in self.images
            ],
            "trials": self.trials,
            "metrics": self.metrics,
            "warnings": [warning.record() for warning in self.warnings()],
        }
        masked: dict[str, Any] = masked_data(record)
        return masked

    def warnings(self) -> list[Warning]:
        """What a reader should know of this point."""
        from runner.protocol.warnings import Warning, of_point  # noqa: A004

        if self.recorded is not None:
            return [Warning(**warning) for warning in self.recorded["warnings"]]
        return of_point(self)

    def restore(self) -> None:
        """Take over the trials that an earlier session wrote into the folder.

        Raises:
            ConfigurationError: what lies there is not a record of this configuration.
        """
        record = self._on_disk()
        if record is not None:
            self.trials, self.id = record["trials"], record["id"]

    def restore_here(self) -> None:
        """The same for a job that was put back into the queue; what it has measured on another host is removed, and begun anew."""
        record = self._on_disk()
        if record is not None and record["environment"]["host"] != environment()["host"]:
            for name in ("result.json", "samples.csv", "images.csv", "trace.json"):
                (self.folder / name).unlink(missing_ok=True)
        self.restore()

    def take_over(self) -> None:
        """Take over all that another process has recorded in the folder: trials, images, environment, warnings.

        Raises:
            ConfigurationError: what lies there is not a record of this configuration.
        """
        record = self._on_disk()
        if record is None:
            return
        self.trials, self.id, self.recorded = record["trials"], record["id"], record
        self.interrupted = (record["error"] or {}).get("type") == "Interrupted"
        self.images = [
            Image(image["path"], "other", image["width"], image["height"], image["sha256"]) for image in record["images"]
        ]

    def _on_disk(self) -> dict[str, Any] | None:
        path = self.folder / "result.json"
        if not path.is_file():
            return None
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["config_hash"] != self.hash:
            raise ConfigurationError("resume", self.folder, "holds another configuration", f"a point with the hash {self.hash}")
        return record

    def write(self) -> None:
        """Write ``result.json`` anew, in one step."""
        record = self.record()
        write_atomically(self.folder / "result.json", lambda file: _dump(record, file))

    def write_samples(self, series: Series) -> None:
        """Add the samples of one trial to ``samples.csv``, in one step."""
        self.series.append(series)
        _append(self.folder / "samples.csv", lambda file, begin: write_samples(file, series, self.gpus, header=begin))

    def write_images(self, number: int, report: Report) -> None:
        """Add the rows of one trial to ``images.csv``, in one step."""

        def write(file: IO[str], begin: bool) -> None:
            writer = csv.writer(file, lineterminator="\n")
            if begin:
                writer.writerow(_IMAGE_COLUMNS)
            for epoch, timed in enumerate(report.epochs):
                table = timed.records.table()
                for row in table[table[:, 0].argsort(kind="stable")]:
                    record = Record(*row.tolist())
                    error = timed.records.errors.get(record.item)
                    node = report.node_of.get(record.worker)
                    writer.writerow([number, epoch, *self._image_row(timed.released_ns, record, node, error)])

        _append(self.folder / "images.csv", write)

    def _image_row(self, released_ns: int, record: Record, node: str | None, error: str | None) -> list[object]:
        def seconds(start: int, end: int) -> str:
            return f"{(end - start) * 1e-9:.9f}"

        return [
            record.item,
            self.images[record.item % len(self.images)].name,
            record.worker,
            record.thread,
            node,
            "ok" if record.ok else "failed",
            seconds(released_ns, record.read_start),
            seconds(record.read_start, record.task_start),
            seconds(record.task_start, record.sink_start),
            seconds(record.sink_start, record.end),
            error,
        ]


def command(words: Sequence[str]) -> str:
    """A line for a shell that runs these words again, of which the first is the module, from anywhere."""
    return f"cd {shlex.quote(str(Path.cwd()))} && " + shlex.join([sys.executable, "-m", *words])


def labels_of(points: Sequence[Point]) -> dict[int, str]:
    """A label for each point, by its ``id``: its name, and what tells it apart where several have that name."""
    names = [point.name for point in points]
    common = set.intersection(*(set(point.overrides) for point in points)) if points else set()
    labels: dict[int, str] = {}
    for place, point in enumerate(points):
        label = point.name
        if names.count(label) > 1:
            varying = [word for word in point.overrides if word not in common and not word.startswith(("mode=", "workers="))]
            label = f"{label} {' '.join(varying)}".strip()
        labels[id(point)] = label if label not in labels.values() else f"{label} #{place}"
    return labels


def _append(path: Path, write: Callable[[IO[str], bool], None]) -> None:
    """Call ``write`` with a file that holds what ``path`` holds, and whether that is nothing; then put it in its place."""

    def copy_and_write(file: IO[str]) -> None:
        begin = not path.exists()
        if not begin:
            with path.open(encoding="utf-8", newline="") as before:
                shutil.copyfileobj(before, file)
        write(file, begin)

    write_atomically(path, copy_and_write)


def _dump(record: dict[str, Any], file: IO[str]) -> None:
    json.dump(record, file, indent=1, allow_nan=False)
    file.write("\n")
