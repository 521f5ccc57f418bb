"""A point of a sweep: one configuration, its images, its folder, and what has been measured of it so far."""

from __future__ import annotations

import csv
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from omegaconf import DictConfig

from runner.config.check import config_hash, plain, typed
from runner.config.options import Config, Sequential
from runner.environment import environment, usable_cpus
from runner.folders import write_atomically
from runner.modes import ModePlan
from runner.monitor.series import Series, write_samples
from runner.pipeline import PipelinePlan
from runner.records import Record
from runner.registry import module_of
from runner.results import SCHEMA_VERSION, point_metrics
from runner.sources import Image, images_of
from runner.tensorflow_threads import ThreadLimits
from runner.trial.messages import Report, TrialPlan

_IMAGE_COLUMNS = (
    "round", "epoch", "item", "image", "worker", "thread", "status", "start_s", "read_s", "task_s", "sink_s", "error",
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
        series: the monitor's samples of each trial.
    """

    config: Config
    images: Sequence[Image]
    overrides: Sequence[str]
    folder: Path
    gpus: int = 0
    trials: list[dict[str, Any]] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)

    @classmethod
    def prepared(cls, composed: DictConfig, overrides: Sequence[str], folder: Path) -> Point:
        """Check everything that can be checked before a process is started; nothing is written.

        Raises:
            ConfigurationError: it cannot be run.
        """
        config = typed(composed)
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
    def hash(self) -> str:
        return config_hash(self.config)

    @property
    def status(self) -> str:
        """``ok`` if every trial was; otherwise the status of the first that was not."""
        return next((trial["status"] for trial in self.trials if trial["status"] != "ok"), "ok" if self.trials else "failed")

    @property
    def error(self) -> dict[str, Any] | None:
        return next((trial["error"] for trial in self.trials if trial["error"] is not None), None)

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        return point_metrics(self.trials, usable_cpus())

    @property
    def digests(self) -> set[str]:
        return {trial["digest"] for trial in self.trials if trial["digest"] is not None}

    def trial_plan(self) -> TrialPlan:
        """What one trial of this point is built from."""
        config = self.config
        pipeline = PipelinePlan(
            images=self.images,
            task_module=module_of("task", config.task.name),
            task=config.task,
            sink_module=module_of("sink", config.sink.name),
            sink=config.sink,
        )
        return TrialPlan(
            mode_module=module_of("mode", config.mode.name),
            mode=ModePlan(config.mode, config.workers, ThreadLimits(config.tf.intra_op, config.tf.inter_op), pipeline),
            items=config.images,
            epochs=config.protocol.epochs,
            warmup_epochs=config.protocol.warmup_epochs,
            log=str(self.folder / "runner.log"),
        )

    def record(self) -> dict[str, Any]:
        """The content of ``result.json`` as far as it is known."""
        return {
            "schema_version": SCHEMA_VERSION,
            "status": self.status,
            "error": self.error,
            "overrides": list(self.overrides),
            "config": plain(self.config),
            "config_hash": self.hash,
            "command": command(self.overrides),
            "environment": environment(),
            "images": [
                {"path": image.path, "width": image.width, "height": image.height, "sha256": image.digest}
                for image in self.images
            ],
            "trials": self.trials,
            "metrics": self.metrics,
        }

    def write(self) -> None:
        """Write ``result.json`` and ``samples.csv`` anew, each in one step."""
        record = self.record()
        write_atomically(self.folder / "result.json", lambda file: _dump(record, file))
        write_atomically(self.folder / "samples.csv", lambda file: write_samples(file, self.series, self.gpus))

    def write_images(self, number: int, report: Report) -> None:
        """Add the rows of one trial to ``images.csv``, in one step."""
        path = self.folder / "images.csv"
        before = path.read_text(encoding="utf-8") if path.exists() else None

        def write(file: IO[str]) -> None:
            writer = csv.writer(file, lineterminator="\n")
            if before is None:
                writer.writerow(_IMAGE_COLUMNS)
            else:
                file.write(before)
            for epoch, timed in enumerate(report.epochs):
                for record in sorted(timed.records):
                    error = timed.records.errors.get(record.item)
                    writer.writerow(self._image_row(number, epoch, timed.released_ns, record, error))

        write_atomically(path, write)

    def _image_row(self, number: int, epoch: int, released_ns: int, record: Record, error: str | None) -> list[object]:
        def seconds(start: int, end: int) -> str:
            return f"{(end - start) * 1e-9:.9f}"

        return [
            number,
            epoch,
            record.item,
            self.images[record.item % len(self.images)].name,
            record.worker,
            record.thread,
            "ok" if record.ok else "failed",
            seconds(released_ns, record.read_start),
            seconds(record.read_start, record.task_start),
            seconds(record.task_start, record.sink_start),
            seconds(record.sink_start, record.end),
            error,
        ]


def command(overrides: Sequence[str]) -> str:
    """A line for a shell that runs the same again, from anywhere."""
    return f"cd {shlex.quote(str(Path.cwd()))} && " + shlex.join([sys.executable, "-m", "runner", *overrides])


def _dump(record: dict[str, Any], file: IO[str]) -> None:
    json.dump(record, file, indent=1, allow_nan=False)
    file.write("\n")
