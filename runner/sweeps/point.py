"""A point of a sweep: one configuration, its images, its folder, and its measurements so far."""

from __future__ import annotations

import shlex
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omegaconf import DictConfig

from runner.analysis.input_bound import input_record
from runner.analysis.needs import Planned
from runner.analysis.stopping import least_rounds
from runner.analysis.warnings import PointFacts, of_point
from runner.config.check import typed
from runner.config.cpus import cpus_of
from runner.config.options import Cache, Config
from runner.config.plain import config_hash, plain
from runner.disk import SPOOL, current_hook
from runner.errors import ErrorRecord, TrialError
from runner.host.conditions import MachineFinding
from runner.host.environment import Environment, usable_cpus
from runner.modes import ModePlan
from runner.modes.workers.runtime import ThreadLimits
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.servers.serving import Served
from runner.pipeline.sources import Image
from runner.record.failures import failed_in
from runner.record.gate import SCHEMA_VERSION
from runner.record.metric_schema import Metrics
from runner.record.metrics import point_metrics
from runner.record.point_schema import ResultJson, Status
from runner.record.trial_schema import TrialRecord
from runner.record.warning import ResultWarning
from runner.record.writing import PointFolder, Series
from runner.secrets import masked_data, masked_override
from runner.secrets.known import learnt
from runner.sweeps.checking import checked
from runner.sweeps.consuming import batching_of, handing_over
from runner.sweeps.other_code import Surroundings
from runner.trial.messages import Report, TrialPlan
from runner.trial.page_cache import CachePlan
from runner.trial.steps import ConsumerPlan

# What a sweeper gets: the value of one metric, or of several; None for a point that failed.
Objective = float | list[float] | None


@dataclass
class Point:
    """One configuration and its measurements.

    Attributes:
        config: typed and checked.
        images: the different images, inspected.
        overrides: what the user chose, as on the command line.
        folder: where its record goes.
        trials: the records of the trials so far, in the order of their rounds.
        series: the monitor's samples of each trial that this process has run.
        running: whether it is being measured, so that its record is not whole.
        interrupted: whether the user stopped it before all rounds were run.
        id: of this record, wherever it is copied to; a resumed point keeps it.
        recorded: the content of ``result.json``, if another process has measured the point, perhaps on another host.
        lost: why that process left no complete record; None if it did.
        label: its name within its sweep; unlike ``name``, no other point of the sweep has it.
        title: what it is called instead, where it is one part of a diagnosis or one side of a gate.
        choosable: whether it can be the answer; the parts of a diagnosis cannot.
        planned_hash: the hash of its configuration when its sweep began; the words of the record may have a secret masked in them.
        findings: what about the machine may spoil its measurement; None while nothing has been looked at.
        surroundings: the interpreter and the commit of its trials, where they are others than this program's.
    """

    config: Config
    images: Sequence[Image]
    overrides: Sequence[str]
    folder: Path
    trials: list[TrialRecord] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    running: bool = False
    interrupted: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    recorded: ResultJson | None = None
    lost: TrialError | None = None
    label: str = ""
    title: str = ""
    choosable: bool = True
    planned_hash: str | None = None
    findings: list[MachineFinding] | None = None
    surroundings: Surroundings = field(default_factory=Surroundings)

    def __post_init__(self) -> None:
        self.label = self.label or self.name

    @classmethod
    def prepared(cls, composed: DictConfig, overrides: Sequence[str], folder: Path) -> Point:
        """A point whose configuration has been checked; nothing is written or started.

        Raises:
            ConfigurationError: it cannot be run.
        """
        ready = checked(typed(composed))
        return cls(ready.config, ready.images, list(overrides), folder, surroundings=ready.surroundings)

    @property
    def name(self) -> str:
        """Short, for tables and for MLflow: ``process-w10``, ``process-w5x3`` with three threads a worker."""
        return self.config.mode.label(self.config.workers)

    @property
    def cpus(self) -> tuple[int, ...] | None:
        """The CPUs to which its trials are restricted; None for all that this program may use."""
        return None if self.config.affinity is None else cpus_of(self.config.affinity)

    @property
    def cpus_usable(self) -> float:
        """How many CPUs a trial may use: those of its affinity, or the control group's quota if that is less."""
        return usable_cpus(None if self.cpus is None else len(self.cpus))

    @property
    def planned(self) -> Planned:
        """A trial of it, to be held against the system's limits."""
        return Planned(self.config, self.images, self.cpus_usable)

    @property
    def spool(self) -> Path:
        """The temporary file for records of images that do not fit into a trial's memory."""
        return self.folder / SPOOL

    @property
    def hash(self) -> str:
        return self.planned_hash or config_hash(self.config)

    @property
    def status(self) -> Status:
        """``running`` as long as it is measured and no trial has failed; ``killed`` if it was stopped or has no trial; ``ok`` if every trial is.

        Otherwise the status of the first trial that is not.
        """
        failed = next((trial["status"] for trial in self.trials if trial["status"] != "ok"), None)
        if failed is None and self.lost is not None:
            return self.lost.status
        if failed is None and self.running:
            return "running"
        return failed or ("ok" if self.trials and not self.interrupted else "killed")

    @property
    def error(self) -> ErrorRecord | None:
        """Type, message and traceback of the first failed trial; None if none failed."""
        failed = next((trial["error"] for trial in self.trials if trial["error"] is not None), None)
        if failed is None and self.lost is not None:
            return self.lost.record()
        if failed is None and self.interrupted:
            planned = "" if self.config.protocol.race else f" of {self.config.protocol.rounds}"
            done = f"interrupted after {len(self.trials)}{planned} rounds"
            return {"type": "Interrupted", "message": done, "traceback": None}
        return failed

    @property
    def has_failed(self) -> bool:
        """Whether one of its trials failed or its record was lost; it is not tried again then."""
        return self.lost is not None or any(trial["status"] != "ok" for trial in self.trials)

    @property
    def host(self) -> str | None:
        """The name of the host on which it was measured; None if it has no trial."""
        made_on = self.environment() if self.recorded is None else self.recorded["environment"]
        return made_on["host"] if self.trials else None

    @property
    def metrics(self) -> Metrics:
        return point_metrics(self.trials)

    @property
    def objective(self) -> Objective:
        """The value for a sweeper: the median of the metric that ``objective`` names, a list where it is a list; None if the point failed."""
        if self.error is not None:
            return None
        values = [self.metrics[name]["value"] for name in self.config.objectives]
        if not isinstance(self.config.objective, list):
            return values[0]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    @property
    def digests(self) -> set[str]:
        return {trial["digest"] for trial in self.trials if trial["digest"] is not None}

    def trial_plan(self, served: Served) -> TrialPlan:
        """The plan of one trial of this point, with the servers that were started for it.

        Raises:
            TrialFailed: the commit of its code cannot be checked out.
        """
        config = self.config
        pipeline = PipelinePlan(
            images=served.images,
            source_module=served.source.module(),
            source=served.source,
            task_module=config.task.module(),
            task=config.task,
            sink_module=config.sink.module(),
            sink=served.sink,
            secrets=learnt(),
            skip=config.skip,
        )
        limits, batches = ThreadLimits(config.tf.intra_op, config.tf.inter_op), batching_of(config.consumer)
        mode = config.mode if batches is None else handing_over(config.mode)
        return TrialPlan(
            mode_module=config.mode.module(),
            mode=ModePlan(mode, config.workers, limits, pipeline, str(self.spool), batches, config.seed),
            items=config.epoch_images,
            epochs=config.protocol.epochs,
            warmup_epochs=config.protocol.warmup_epochs,
            log=str(self.folder / "runner.log"),
            cpus=self.cpus,
            gil_probe=config.monitor.gil_probe,
            cache=self._cache_plan(),
            disk_hook=current_hook(),
            consumer=None if batches is None else ConsumerPlan(config.consumer.module(), config.consumer),
            python=self.surroundings.python(),
            code=self.surroundings.code(),
        )

    def _cache_plan(self) -> CachePlan:
        kind = self.config.source.page_cache
        if kind is Cache.as_is:
            return CachePlan()
        return CachePlan(kind, tuple(dict.fromkeys(image.path for image in self.images)))

    def environment(self) -> Environment:
        """What its trials run on, as the record has it."""
        found = self.surroundings.environment()
        return found if self.findings is None else {**found, "findings": self.findings}

    def record(self) -> ResultJson:
        """The content of ``result.json`` so far, without secrets."""
        record: ResultJson = {
            "schema_version": SCHEMA_VERSION,
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "error": self.error,
            "overrides": [masked_override(word) for word in self.overrides],
            "config": plain(self.config),
            "config_hash": self.hash,
            "command": command([masked_override(word) for word in self.overrides]),
            "environment": self.environment(),
            "images": [
                {"path": image.where, "width": image.width, "height": image.height, "sha256": image.digest}
                for image in self.images
            ],
            "trials": self.trials,
            "metrics": self.metrics,
            "failed_images": failed_in(self.trials),
            "input": input_record(self.trials),
            "warnings": [warning.record() for warning in self.warnings()],
        }
        masked: ResultJson = masked_data(record)
        return masked

    def warnings(self) -> list[ResultWarning]:
        """The warnings for readers of this point."""
        return of_point(self.facts()) if self.recorded is None else [ResultWarning(**one) for one in self.recorded["warnings"]]

    def facts(self) -> PointFacts:
        """The facts that the checks for warnings need."""
        return PointFacts(
            label=self.label,
            config=self.config,
            trials=self.trials,
            cpus_usable=self.cpus_usable,
            host=self.host,
            images=[image.digest for image in self.images],
        )

    def write(self) -> None:
        """Replace ``result.json`` in one step."""
        PointFolder(self.folder).write_record(self.record())

    def add_trial(self, trial: TrialRecord, series: Series, report: Report | None, gpus: int) -> None:
        """Add a trial to the record, with its samples and, if it has reported, the rows of its images; ``gpus`` is the number of devices."""
        folder = PointFolder(self.folder)
        self.series.append(series)
        folder.add_samples(series, gpus)
        folder.write_images(trial["round"], report, self.images)
        self.trials.append(trial)
        self.write()


def command(words: Sequence[str]) -> str:
    """A line for a shell that runs this program with these words again, from anywhere."""
    return f"cd {shlex.quote(str(Path.cwd()))} && " + shlex.join([sys.executable, "-m", "runner", *words])


def complete(point: Point) -> bool:
    """Whether nothing is left to measure: it has failed or has all its rounds; with a precision, the least number of rounds."""
    return point.has_failed or len(point.trials) >= least_rounds(point.config.protocol)
