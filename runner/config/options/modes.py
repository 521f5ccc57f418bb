"""The modes: which concurrency backend handles the images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from typing import ClassVar

from runner.config.consent import Demand
from runner.config.fields import MISSING, name, option
from runner.config.options.base import Choices, CodeOption, PlacedPicture, Threads
from runner.errors import ConfigurationError


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


def refuse_unknown_start_method(key: str, chosen: StartMethod) -> None:
    """Refuse a start method that this system does not have.

    Raises:
        ConfigurationError: it has others.
    """
    import multiprocessing

    method, methods = chosen.value, multiprocessing.get_all_start_methods()
    if method != "auto" and method not in methods:
        raise ConfigurationError(key, method, "does not exist on this system", ", ".join(["auto", *methods]))


@dataclass
class ModeOption(CodeOption):
    """What every mode has.

    Attributes:
        needs: the package that it needs beyond those of this program, an extra of the mode's name; and what its authors call it.
        library_mb: memory that its library takes: in the trial, and again in each worker process that does not come by a fork; megabytes, measured.
        imports_library: whether its code cannot be imported without a large library, such as TensorFlow, which only its trials should load.
    """

    package: ClassVar[str] = "runner.modes"
    needs: ClassVar[tuple[str, str] | None] = None
    library_mb: ClassVar[tuple[int, int]] = (0, 0)
    imports_library: ClassVar[bool] = False

    name: str = MISSING

    def check(self, choices: Choices) -> None:
        if choices.python is None and self.needs is not None and find_spec(self.needs[0]) is None:
            accepted = f"an environment with the extra {self.name}: pip install 'image-pipeline-runner[{self.name}]'"
            raise ConfigurationError("mode", self.name, f"needs {self.needs[1]}, which is not installed", accepted)

    def check_images(self, choices: Choices, images: Sequence[PlacedPicture]) -> None:
        """Refuse what depends on the images, of which the headers have been read.

        Raises:
            ConfigurationError: it cannot be run with them.
        """

    def effective_workers(self, workers: int) -> int:
        """How many workers really run when ``workers`` are asked for."""
        return workers

    def processes(self, workers: int) -> int:
        """How many worker processes there are beside the trial's own; 0 where workers are threads."""
        del workers
        return 0

    def threads(self, workers: int) -> int:
        """How many images can be handled at the same time: the threads of all workers."""
        return self.effective_workers(workers)

    def computing_threads(self, workers: int, cpus: int) -> int | None:
        """How many of those threads compute at the same time on ``cpus`` CPUs of this host; None if the user cannot choose it."""
        del cpus
        return self.threads(workers)

    def tensorflow_threads(self, tf: Threads) -> tuple[int, int]:
        """TensorFlow's threads in each worker, inside an op and between ops; 0 is TensorFlow's own choice."""
        return tf.intra_op, tf.inter_op

    @property
    def joins_cluster(self) -> bool:
        """Whether workers run on an existing cluster, whose hosts have CPUs of their own."""
        return False

    @property
    def can_skip(self) -> bool:
        """Whether stages can be left out of its timed passes."""
        return True

    def label(self, workers: int) -> str:
        """The name of a point with this many workers: ``process-w10``, ``process-w5x3`` with three threads in each."""
        return f"{self.name}-w{self.effective_workers(workers)}"


@dataclass
class Sequential(ModeOption):
    name: str = name("sequential")

    def effective_workers(self, workers: int) -> int:
        del workers
        return 1

    def computing_threads(self, workers: int, cpus: int) -> int | None:
        del workers, cpus
        return None

    def label(self, workers: int) -> str:
        del workers
        return self.name


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

    def check(self, choices: Choices) -> None:
        given = (choices.tf.intra_op, choices.tf.inter_op)
        if given != self.tensorflow_threads(choices.tf):
            reason = "contradicts mode=synthetic_process, which pins TensorFlow to one thread"
            accepted = "tf=single, that is 1/1, with this mode; or mode=thread for other settings"
            raise ConfigurationError("tf", f"{given[0]}/{given[1]}", reason, accepted)

    def tensorflow_threads(self, tf: Threads) -> tuple[int, int]:
        del tf
        return 1, 1


@dataclass
class ProcessOption(ModeOption):
    """What every mode with real processes has."""

    start_method: StartMethod = option(StartMethod.auto, "how a worker process comes to be")
    threads_per_worker: int = option(1, "threads that handle images in each worker process", at_least=1, at_most=1024)
    returns: Returns = option(Returns.digest, "how results come back to the trial")

    def check(self, choices: Choices) -> None:
        refuse_unknown_start_method("mode.start_method", self.start_method)

    def processes(self, workers: int) -> int:
        return workers

    def threads(self, workers: int) -> int:
        return workers * self.threads_per_worker

    def label(self, workers: int) -> str:
        return f"{self.name}-w{workers}" + (f"x{self.threads_per_worker}" if self.threads_per_worker > 1 else "")


@dataclass
class Process(ProcessOption):
    name: str = name("process")


@dataclass
class ProcessPool(ProcessOption):
    name: str = name("process_pool")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)


@dataclass
class Asyncio(ModeOption):
    name: str = name("asyncio")
    decode_threads: int | None = option(
        None, "threads that decode what has been read; by default one for each CPU that may be used", at_least=1, at_most=1024
    )

    def computing_threads(self, workers: int, cpus: int) -> int | None:
        del workers  # they wait; the decoders compute
        return self.decode_threads or cpus


@dataclass
class Loky(ModeOption):
    name: str = name("loky")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)

    def processes(self, workers: int) -> int:
        return workers


class Placement(Enum):
    """Where Ray's scheduler puts the workers, as far as there is room."""

    spread = "spread"  # on as many nodes as there are
    packed = "packed"  # on as few as have room


@dataclass
class Ray(ModeOption):
    needs: ClassVar[tuple[str, str] | None] = ("ray", "Ray")

    name: str = name("ray")
    address: str | None = option(
        None,
        "the cluster: null starts one on this machine, auto joins one on it, host:port or ray://host:port joins one elsewhere",
        matches=r"auto|(ray://)?(\[[0-9a-fA-F:]+\]|[^\s/:@?#\[\]]+):\d{1,5}",
    )
    cpus_per_worker: float = option(
        1.0, "CPUs that each worker reserves; Ray counts them and enforces nothing", above=0, at_most=1024
    )
    gpus_per_worker: float = option(0.0, "GPUs that each worker reserves; with 0 a worker sees none", at_least=0, at_most=64)
    placement: Placement = option(
        Placement.spread, "on as many nodes as there are (spread), or on as few as have room (packed)"
    )
    returns: Returns = option(Returns.digest, "how results come back to the trial")
    chunksize: int | None = option(None, "how many images a worker takes at once; by default fewer towards the end", at_least=1)
    max_retries: int = option(0, "how often an image is tried again after its worker or node has died", at_least=0, at_most=100)
    ship_source: bool = option(
        False, "whether the bytes of the images are sent to each node once, for nodes that cannot reach the files"
    )
    object_store_mb: int | None = option(
        None,
        "10^6 bytes of shared memory for Ray's objects where this program starts the cluster; null is Ray's choice",
        at_least=80,
    )

    def check(self, choices: Choices) -> None:
        super().check(choices)
        if self.address is not None and self.object_store_mb is not None:
            reason = "only applies when this program starts the cluster, not to the one at mode.address"
            raise ConfigurationError("mode.object_store_mb", self.object_store_mb, reason, "null")
        if self.ship_source and not choices.source.reads_files:
            reason = "sends the bytes of files, and these images come from addresses"
            raise ConfigurationError("mode.ship_source", "true", reason, "false, or a source of files")

    def demands(self) -> Iterator[Demand]:
        if self.address is not None:
            yield Demand("contact", "address", self.address)
            yield Demand("import", "address", f"{self.address}, whose answers Ray unpickles")

    def processes(self, workers: int) -> int:
        return workers

    @property
    def joins_cluster(self) -> bool:
        return self.address is not None
