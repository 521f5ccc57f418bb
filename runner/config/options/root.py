"""The root of the configuration: one point of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from runner.config.fields import AMOUNT, HOST, MEASURING, MISSING, ORDER, RECORDING, START, SWEEP, WORK, option
from runner.config.metrics import CONSUMER_METRICS, METRICS, MetricName, objectives_of
from runner.config.options.consumers import ConsumerOption
from runner.config.options.measuring import Host, Monitor, Protocol
from runner.config.options.modes import ModeOption
from runner.config.options.sinks import SinkOption
from runner.config.options.sources import SourceOption
from runner.config.options.tasks import TaskOption
from runner.config.options.tf import Tf
from runner.config.options.tracking import TrackingOption

# images=auto: the number is found before the first trial that counts.
AUTO = "auto"

# How many images the first look at an epoch has, by which that number is found.
FIRST_LOOK = 16


class Skip(Enum):
    """Which stages are left out of the timed passes, to see what they cost."""

    none = "none"  # nothing
    fetch = "fetch"  # workers have the bytes of all images in memory
    preparation = "preparation"  # and results that are ready


@dataclass
class Config:
    """One point: what is done, by which workers, and how it is measured."""

    mode: ModeOption = option(MISSING, "how images are handled at the same time", role=WORK)
    workers: int = option(15, "threads or processes that handle images", at_least=1, at_most=4096, role=WORK)
    tf: Tf = option(MISSING, "TensorFlow's threads in each worker", role=WORK)
    source: SourceOption = option(MISSING, "where images come from", role=WORK)
    images: int | str = option(
        "auto",
        "images in an epoch; the source is repeated or cut to that many",
        word=AUTO,
        at_least=1,
        at_most=10**9,
        role=AMOUNT,
    )
    task: TaskOption = option(MISSING, "what is done to each image", role=WORK)
    sink: SinkOption = option(MISSING, "where results go", role=WORK)
    consumer: ConsumerOption = option(MISSING, "who takes the results, batch by batch", role=WORK, later=True)
    skip: Skip = option(
        Skip.none,
        "the stages that are left out of timed passes: fetch has all bytes in memory, preparation ready results too",
        role=WORK,
        later=True,
    )
    protocol: Protocol = option(MISSING, "how often it is measured", role=MEASURING)
    monitor: Monitor = option(MISSING, "how closely it is watched", role=MEASURING)
    tracking: TrackingOption = option(MISSING, "where runs are recorded beside their own folder", role=RECORDING)
    affinity: str | None = option(
        None, "the CPUs that a trial and its workers are kept to, such as 0-3 or '0,2'; all by default", role=WORK
    )
    python: str | None = option(
        None,
        "the interpreter that trials run by, such as .venv-b/bin/python; this program's own by default",
        role=WORK,
        names_code=True,
        later=True,
    )
    code: str | None = option(
        None,
        "the commit of the current folder's git repository from which own functions come; the files as they are by default",
        role=WORK,
        names_code=True,
        later=True,
    )
    seed: int = option(0, "orders the trials of a sweep, and the images where mode.shuffle mixes them", at_least=0, role=ORDER)
    baseline: str | None = option(
        None, "the point that others are compared with: its name or number; the first by default", role=SWEEP
    )
    objective: Any = option(
        "images_per_s",
        "the metric that a sweep is run for, and that a sweeper such as Optuna gets for each point; or a list of metrics, the first of which decides",
        choices=(*METRICS, *CONSUMER_METRICS),
        role=SWEEP,
    )
    compare_hosts: bool = option(
        False, "whether points that were measured on different hosts get a verdict against each other", role=SWEEP
    )
    fail_fast: bool = option(False, "whether a sweep ends at the first point that fails", role=SWEEP)
    host: Host = option(Host, "how this host is shared", role=HOST)
    resume: str | None = option(None, "the folder of a sweep or a run to go on with", role=START)

    @property
    def epoch_images(self) -> int:
        """How many images an epoch has; while that has to be found yet, ``FIRST_LOOK``."""
        return self.images if isinstance(self.images, int) else FIRST_LOOK

    @property
    def objectives(self) -> tuple[MetricName, ...]:
        """The metrics that the sweep is run for; where one has to decide, it is the first."""
        return objectives_of(self.objective)

    @property
    def uses_tensorflow(self) -> bool:
        """Whether a trial of this point uses TensorFlow; one that does not imports it nowhere."""
        return any(option.uses_tensorflow for option in (self.mode, self.task, self.sink, self.consumer))
