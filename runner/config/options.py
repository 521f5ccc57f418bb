"""One dataclass for every option under ``conf/``; ``OPTIONS`` at the end finds them.

These classes are all that a new option adds here; nothing in this file imports what it configures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from runner.config.fields import name, option

# The metrics of every run, with their units; the set is the same whatever was run.
METRICS = (
    "images_per_s",
    "total_s",
    "startup_s",
    "work_s",
    "teardown_s",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p99_ms",
    "cpu_s_per_image",
    "cpu_utilization_pct",
    "peak_memory_mb",
    "images_ok",
    "images_failed",
)

# --------------------------------------------------------------------------------------------------------- mode


class StartMethod(Enum):
    """How a worker process comes to be."""

    auto = "auto"  # fork out of the clean trial on Linux, spawn elsewhere
    fork = "fork"
    forkserver = "forkserver"
    spawn = "spawn"


@dataclass
class ModeOption:
    """What every mode has."""

    name: str = MISSING


@dataclass
class Sequential(ModeOption):
    name: str = name("sequential")


@dataclass
class Thread(ModeOption):
    name: str = name("thread")


@dataclass
class ThreadPool(ModeOption):
    name: str = name("thread_pool")


@dataclass
class SyntheticProcess(ModeOption):
    name: str = name("synthetic_process")


@dataclass
class ProcessOption(ModeOption):
    """What every mode with real processes has."""

    start_method: StartMethod = option(StartMethod.auto, "how a worker process comes to be")
    threads_per_worker: int = option(1, "threads that handle images in each worker process", at_least=1, at_most=1024)


@dataclass
class Process(ProcessOption):
    name: str = name("process")


@dataclass
class ProcessPool(ProcessOption):
    name: str = name("process_pool")


# ------------------------------------------------------------------------------------------------------- source


@dataclass
class SourceOption:
    """What every source has."""

    name: str = MISSING


class Cache(Enum):
    """What is done about the system's page cache, outside the timed stretches."""

    as_is = "as_is"  # nothing: the inspection has just read every file once
    warm = "warm"  # every file is read once before the first epoch
    cold = "cold"  # every file is dropped from the page cache before each epoch


@dataclass
class FilesOption(SourceOption):
    """What every source that reads files of this machine has."""

    cache: Cache = option(Cache.as_is, "what is done about the page cache before an epoch")


@dataclass
class ServedOption(FilesOption):
    """What every source has whose files an HTTP server on loopback can give out."""

    serve: bool = option(False, "whether the images are downloaded from a server on loopback instead of read from files")
    serve_latency_s: float = option(0.0, "seconds from a request to the first byte", at_least=0, at_most=60)
    serve_jitter_s: float = option(0.0, "seconds by which the latency varies, up and down", at_least=0, at_most=60)
    serve_bandwidth_mb_per_s: float | None = option(
        None, "10^6 bytes a second of the link that all connections share; null is no limit", above=0
    )


@dataclass
class Sample(ServedOption):
    name: str = name("sample")


@dataclass
class File(ServedOption):
    name: str = name("file")
    path: str = option(MISSING, "an image file")


@dataclass
class Folder(ServedOption):
    name: str = name("folder")
    path: str = option(MISSING, "a folder, searched with all below it")
    pattern: str = option("*", "which file names count, as in a shell")


class ImageFormat(Enum):
    """The format of generated images."""

    jpeg = "jpeg"
    png = "png"


@dataclass
class Synthetic(ServedOption):
    name: str = name("synthetic")
    count: int = option(3, "how many different images", at_least=1, at_most=1_000_000)
    width: int = option(1900, "pixels", at_least=1, at_most=16384)
    height: int = option(1900, "pixels", at_least=1, at_most=16384)
    format: ImageFormat = option(ImageFormat.jpeg, "the file format")
    quality: int = option(90, "JPEG quality", at_least=1, at_most=100)
    progressive: bool = option(False, "JPEG in progressive scans, as many web sites serve it")
    seed: int = option(0, "another seed, other images", at_least=0)


@dataclass
class Url(SourceOption):
    name: str = name("url")
    url: Any = option(
        MISSING, "an address such as https://host/a.jpg, a list of them, a pattern, a folder ending in / or a .txt"
    )
    timeout_s: float = option(30.0, "seconds that one attempt at an image may take", above=0)
    retries: int = option(2, "attempts after the first, with growing pauses", at_least=0, at_most=100)
    max_bytes: int = option(100_000_000, "the largest image that is taken", at_least=1)
    options: Any = option(None, "what fsspec's driver is told, such as {anon: true}; credentials come from the environment")


@dataclass
class Tfrecord(FilesOption):
    name: str = name("tfrecord")
    path: str = option(MISSING, "an uncompressed file of tf.train.Example")
    feature: str = option("image/encoded", "the bytes feature that holds the image, not empty", matches=r".*\S.*")


# --------------------------------------------------------------------------------------------------------- task


class Execution(Enum):
    """Whether TensorFlow runs op by op or as one graph."""

    eager = "eager"
    graph = "graph"


class DctMethod(Enum):
    """The inverse DCT of the JPEG decoder."""

    default = "default"  # TensorFlow's own choice
    fast = "fast"
    accurate = "accurate"


@dataclass
class TaskOption:
    """What every task has."""

    name: str = MISSING


@dataclass
class Tensorflow(TaskOption):
    name: str = name("tensorflow")
    size: int = option(224, "edge of the square result, pixels", at_least=1, at_most=8192)
    channels: int = option(3, "channels to decode to; 0 keeps the file's own number", choices=(0, 1, 3))
    dct_method: DctMethod = option(DctMethod.default, "the inverse DCT of the JPEG decoder")
    ratio: int = option(1, "decode a JPEG at 1/ratio of its size", choices=(1, 2, 4, 8))
    execution: Execution = option(Execution.eager, "op by op, or one graph")


# --------------------------------------------------------------------------------------------------------- sink


@dataclass
class SinkOption:
    """What every sink has."""

    name: str = MISSING


@dataclass
class NoSink(SinkOption):
    name: str = name("none")


# ----------------------------------------------------------------------------------------------------------- tf


@dataclass
class Tf:
    """TensorFlow's threading in every worker; 0 is TensorFlow's own choice."""

    intra_op: int = option(0, "threads inside one op", at_least=0, at_most=1024)
    inter_op: int = option(0, "ops at the same time", at_least=0, at_most=1024)


# ------------------------------------------------------------------------------------------------------ monitor


@dataclass
class Monitor:
    """How a trial is watched from outside."""

    enabled: bool = option(True, "whether samples are taken; exact accounting needs none")
    interval_s: float = option(0.1, "seconds between samples", at_least=0.005, at_most=60)
    memory_interval_s: float = option(1.0, "seconds between memory samples, which cost more", at_least=0.1, at_most=600)
    cost_limit_pct: float = option(
        1.0,
        "the most of one core that the monitor may use; costly readings are taken more rarely for it",
        at_least=0.1,
        at_most=100,
    )
    gil_probe: bool = option(False, "whether the wait for Python's interpreter lock is measured, where workers are threads")


# ----------------------------------------------------------------------------------------------------- protocol


@dataclass
class Protocol:
    """How often everything is measured."""

    rounds: int = option(8, "trials of every point, each in a fresh process", at_least=1, at_most=100_000)
    epochs: int = option(5, "timed passes over the images in a trial", at_least=1, at_most=100_000)
    warmup_epochs: int = option(1, "passes before the timed ones", at_least=0, at_most=100_000)
    timeout_s: float = option(600.0, "seconds after which a trial is ended", above=0)
    verdicts: bool = option(True, "whether points are compared with the baseline, in words")
    self_check: bool = option(True, "whether a duplicate of the baseline runs in every round of a sweep")
    precision: float | None = option(
        None, "go on after the rounds until every interval of images_per_s is so narrow: 0.02 is 2 % up and down", above=0
    )
    max_rounds: int = option(40, "where precision has not been reached, stop here", at_least=1, at_most=100_000)


# ----------------------------------------------------------------------------------------------------- tracking


@dataclass
class TrackingOption:
    """What every kind of tracking has."""

    name: str = MISSING
    experiment: str = option("image-pipeline", "the MLflow experiment that the runs go to, not empty", matches=r".*\S.*")


@dataclass
class Sqlite(TrackingOption):
    name: str = name("sqlite")


@dataclass
class Server(TrackingOption):
    name: str = name("server")
    uri: str = option(
        MISSING, "the address of an MLflow server, such as http://127.0.0.1:5000", matches=r"[a-z+]+://.+|databricks.*"
    )


@dataclass
class NoTracking(TrackingOption):
    name: str = name("none")


# --------------------------------------------------------------------------------------------------------- root


@dataclass
class Config:
    """One point: what is done, by whom, and how it is measured."""

    mode: ModeOption = MISSING
    workers: int = option(15, "threads or processes that handle images", at_least=1, at_most=4096)
    tf: Tf = MISSING
    source: SourceOption = MISSING
    images: int = option(15, "images in an epoch; the source is repeated or cut to that many", at_least=1, at_most=10**9)
    task: TaskOption = MISSING
    sink: SinkOption = MISSING
    protocol: Protocol = MISSING
    monitor: Monitor = MISSING
    tracking: TrackingOption = MISSING
    affinity: str | None = option(
        None, "the CPUs that a trial and its workers are kept to, such as 0-3 or '0,2'; all by default"
    )
    seed: int = option(0, "orders the trials of a sweep", at_least=0)
    baseline: str | None = option(None, "the point that others are compared with: its name or number; the first by default")
    objective: str = option("images_per_s", "the metric that a sweeper such as Optuna is told", choices=METRICS)
    fail_fast: bool = option(False, "whether a sweep ends at the first point that fails")
    resume: str | None = option(None, "the folder of a sweep to go on with")


def _named(base: type[Any]) -> dict[str, type[Any]]:
    """Every option derived from ``base``, by its name."""
    found: dict[str, type[Any]] = {}
    for derived in base.__subclasses__():
        if derived.name != MISSING:
            found[derived.name] = derived
        found |= _named(derived)
    return found


OPTIONS: dict[str, dict[str, type[Any]]] = {
    "mode": _named(ModeOption),
    "source": _named(SourceOption),
    "task": _named(TaskOption),
    "sink": _named(SinkOption),
    "tf": {"single": Tf, "auto": Tf, "notebook": Tf},
    "monitor": {"standard": Monitor, "fine": Monitor, "off": Monitor},
    "protocol": {"once": Protocol, "quick": Protocol, "standard": Protocol, "rigorous": Protocol},
    "tracking": _named(TrackingOption),
}
