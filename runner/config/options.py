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


class Returns(Enum):
    """How results come back from worker processes."""

    digest = "digest"  # not at all: the worker keeps them
    pickle = "pickle"
    shared_memory = "shared_memory"


@dataclass
class ModeOption:
    """What every mode has."""

    name: str = MISSING

    @property
    def uses_tensorflow(self) -> bool:
        """Whether the mode itself takes TensorFlow, whatever the task is."""
        return False


@dataclass
class Sequential(ModeOption):
    name: str = name("sequential")


@dataclass
class Thread(ModeOption):
    name: str = name("thread")


@dataclass
class ThreadPool(ModeOption):
    name: str = name("thread_pool")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)


@dataclass
class SyntheticProcess(ModeOption):
    name: str = name("synthetic_process")


@dataclass
class ProcessOption(ModeOption):
    """What every mode with real processes has."""

    start_method: StartMethod = option(StartMethod.auto, "how a worker process comes to be")
    threads_per_worker: int = option(1, "threads that handle images in each worker process", at_least=1, at_most=1024)
    returns: Returns = option(Returns.digest, "how results come back to the trial")


@dataclass
class Process(ProcessOption):
    name: str = name("process")


@dataclass
class ProcessPool(ProcessOption):
    name: str = name("process_pool")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)


class Parallelism(Enum):
    """How many calls ``Dataset.map`` makes at the same time."""

    workers = "workers"  # as many as there are workers
    autotune = "autotune"  # as TensorFlow chooses, in a pool of as many threads as there are workers


@dataclass
class TfData(ModeOption):
    name: str = name("tf_data")
    parallelism: Parallelism = option(Parallelism.workers, "how many images at the same time")
    prefetch: int = option(0, "results that are made ahead of the one that takes them; -1 is TensorFlow's choice", at_least=-1)

    @property
    def uses_tensorflow(self) -> bool:
        """It is a part of TensorFlow."""
        return True


@dataclass
class Asyncio(ModeOption):
    name: str = name("asyncio")
    decode_threads: int | None = option(
        None, "threads that decode what has been read; by default one for each CPU that may be used", at_least=1, at_most=1024
    )


@dataclass
class Loky(ModeOption):
    name: str = name("loky")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)


class Placement(Enum):
    """Where Ray's scheduler puts the workers, as far as there is room."""

    spread = "spread"  # over as many nodes as there are
    packed = "packed"  # on as few as will do


@dataclass
class Ray(ModeOption):
    name: str = name("ray")
    address: str | None = option(
        None,
        "the cluster: null starts one on this machine, auto finds one on it, host:port or ray://host:port joins one",
        matches=r"auto|(ray://)?(\[[0-9a-fA-F:]+\]|[^\s/:@?#\[\]]+):\d{1,5}",
    )
    cpus_per_worker: float = option(1.0, "of Ray's CPUs, which are counted and not enforced", above=0, at_most=1024)
    gpus_per_worker: float = option(0.0, "of Ray's GPUs; with 0 a worker sees none", at_least=0, at_most=64)
    placement: Placement = option(Placement.spread, "over as many nodes as there are, or on as few as will do")
    returns: Returns = option(Returns.digest, "how results come back to the trial")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)
    max_retries: int = option(0, "how often an image is tried again whose worker or node has died", at_least=0, at_most=100)
    ship_source: bool = option(
        False, "whether the bytes of the images are sent to the nodes once, for those that cannot reach them"
    )
    object_store_mb: int | None = option(
        None,
        "10^6 bytes of shared memory for Ray's objects, of a cluster that is started here; null is Ray's choice",
        at_least=80,
    )


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

    @property
    def uses_tensorflow(self) -> bool:
        """Whether its workers need TensorFlow's runtime, started before the task is built."""
        return False


# What a picture can be taken through; those by chance come out the same for the same image and seed.
STEPS = ("decode", "resize", "standardize", "flip", "crop", "colour")
STEPS_BY_CHANCE = ("flip", "crop", "colour")


@dataclass
class StepsOption(TaskOption):
    """What every task that is made of steps has."""

    size: int = option(224, "edge of the square result, pixels", at_least=1, at_most=8192)
    channels: int = option(3, "channels to decode to", choices=(1, 3))
    steps: list[str] = option(
        ["decode", "resize", "standardize"], "decode first, then any of resize, standardize, flip, crop, colour"
    )
    crop: float = option(0.875, "of each edge, what the step crop keeps", above=0, at_most=1)
    colour: float = option(0.2, "the step colour changes by a factor of up to 1 ± this", at_least=0, at_most=1)
    seed: int = option(0, "another seed, other chances", at_least=0)


@dataclass
class Tensorflow(StepsOption):
    name: str = name("tensorflow")
    channels: int = option(3, "channels to decode to; 0 keeps the file's own number", choices=(0, 1, 3))
    dct_method: DctMethod = option(DctMethod.default, "the inverse DCT of the JPEG decoder")
    ratio: int = option(1, "decode a JPEG at 1/ratio of its size", choices=(1, 2, 4, 8))
    execution: Execution = option(Execution.eager, "op by op, or one graph")

    @property
    def uses_tensorflow(self) -> bool:
        """It does."""
        return True


@dataclass
class Pillow(StepsOption):
    name: str = name("pillow")


@dataclass
class Opencv(StepsOption):
    name: str = name("opencv")


@dataclass
class Python(TaskOption):
    name: str = name("python")
    size: int = option(64, "edge of the square result, pixels", at_least=1, at_most=1024)


class Dtype(Enum):
    """The numbers that a matrix is made of."""

    float32 = "float32"
    float64 = "float64"


@dataclass
class Math(TaskOption):
    name: str = name("math")
    size: int = option(512, "rows and columns of the matrix", at_least=1, at_most=16384)
    repeats: int = option(4, "products, one after the other", at_least=1, at_most=100_000)
    dtype: Dtype = option(Dtype.float32, "the numbers that the matrix is made of")


# Keras application models; each takes a square image of 75 pixels or more.
MODELS = (
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "MobileNetV3Large",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "DenseNet121",
    "InceptionV3",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "Xception",
)


@dataclass
class Inference(TaskOption):
    name: str = name("inference")
    model: str = option("MobileNetV2", "a Keras application model", choices=MODELS)
    size: int = option(224, "edge of the square image that the model gets, pixels", at_least=75, at_most=4096)
    seed: int = option(0, "another seed, other weights", at_least=0)

    @property
    def uses_tensorflow(self) -> bool:
        """Keras runs on it."""
        return True


@dataclass
class Function(TaskOption):
    name: str = name("function")
    function: str = option(
        MISSING,
        "package.module:name of your own function, which takes the bytes of an image",
        matches=r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*",
    )

    @property
    def uses_tensorflow(self) -> bool:
        """The function may use it, with the threads that were asked for."""
        return True


# Fields that name code to be run: only the user's own word counts for them, never a record's.
RUNS_USER_CODE = ("task.function",)


# --------------------------------------------------------------------------------------------------------- sink


@dataclass
class SinkOption:
    """What every sink has."""

    name: str = MISSING

    @property
    def uses_tensorflow(self) -> bool:
        """Whether it takes TensorFlow to write a result."""
        return False


@dataclass
class NoSink(SinkOption):
    name: str = name("none")


class FileFormat(Enum):
    """What a result is written as."""

    npy = "npy"
    png = "png"
    tfrecord = "tfrecord"


@dataclass
class ToFile(SinkOption):
    name: str = name("file")
    format: FileFormat = option(FileFormat.npy, "what a result is written as")
    url: str | None = option(
        None, "a folder, or an fsspec URL such as s3://bucket/prefix; by default sink/ in the point's folder"
    )
    remove: bool = option(False, "whether the files are removed after each trial")
    timeout_s: float = option(30.0, "seconds for one attempt at a remote file", above=0)
    retries: int = option(3, "further attempts at a remote file, after pauses that double", at_least=0, at_most=100)

    @property
    def uses_tensorflow(self) -> bool:
        """TensorFlow writes the records of a TFRecord file."""
        return self.format is FileFormat.tfrecord


class Payload(Enum):
    """What is sent of a result."""

    digest = "digest"
    array = "array"


@dataclass
class ToHttp(SinkOption):
    name: str = name("http")
    payload: Payload = option(Payload.array, "what is sent of a result")
    url: str | None = option(
        None,
        "an address such as http://host:8080/results; by default a receiver on this machine is started",
        matches=r"https?://(\S+@)?(\[[0-9a-fA-F:]+\]|[^\s/:@?#\[\]]+)(:\d{1,5})?([/?]\S*)?",
    )
    latency_s: float = option(0.0, "seconds after which the receiver that is started answers", at_least=0, at_most=3600)
    timeout_s: float = option(10.0, "seconds without an answer after which an attempt has failed", above=0)
    retries: int = option(3, "further attempts after what may pass, with pauses that double", at_least=0, at_most=100)


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
    compare_hosts: bool = option(False, "whether points that were measured on different hosts get a verdict against each other")
    fail_fast: bool = option(False, "whether a sweep ends at the first point that fails")
    resume: str | None = option(None, "the folder of a sweep to go on with")

    @property
    def uses_tensorflow(self) -> bool:
        """Whether a trial of this point takes TensorFlow; one that does not imports it nowhere."""
        return self.mode.uses_tensorflow or self.task.uses_tensorflow or self.sink.uses_tensorflow


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
