"""What an actor of Ray does: a worker of its own process, with TensorFlow of its own, on whatever node it was put."""

from __future__ import annotations

import os
import pickle
import platform
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time_ns
from typing import Any

from runner.config.options import Returns
from runner.host.affinity import allowed_cpus
from runner.host.environment import usable_cpus
from runner.host.gpu import Gpus
from runner.host.memory import Footprint, footprint
from runner.modes import Books, Worker
from runner.modes.ray.shipment import Shipment, ShippedReader
from runner.modes.workers.processes import Failure
from runner.modes.workers.returning import Returned, ReturningSink
from runner.modes.workers.runtime import ThreadLimits, start_runtime
from runner.pipeline.hot_path import PipelinePlan
from runner.pipeline.stamps import Records


@dataclass(frozen=True)
class Order:
    """All that a worker is built from.

    Attributes:
        variables: of the environment, for libraries that are still to be loaded; None is unset.
    """

    limits: ThreadLimits
    pipeline: PipelinePlan
    returns: Returns
    variables: Mapping[str, str | None]


@dataclass(frozen=True)
class Place:
    """Where a worker is: ``host`` is the same for processes that share a clock, files and process numbers."""

    node: str
    host: str
    hostname: str
    pid: int


@dataclass(frozen=True)
class Part:
    """A run of items is done.

    Attributes:
        records: one for each.
        results: those that come back: pickled in one piece, or arrays that Ray lays into shared memory; None where they stay.
        cpu_ns: what this process has used so far.
    """

    records: Records
    results: bytes | list[Returned] | None
    cpu_ns: int


@dataclass(frozen=True)
class Here:
    """What a node says of some of its processes and of itself.

    ``gpus`` are readings of each device, by name; ``absent`` is why there are none.
    """

    footprint: Footprint
    cpus_usable: float
    gpus: Sequence[Mapping[str, Any]]
    absent: str | None


class RayWorker:
    """Answers calls, one at a time; ``start`` comes first."""

    def __init__(self, order: Order, node: str) -> None:
        self._order = order
        self._node = node
        self._kept: list[Returned] = []
        self._gpus: Gpus | None = None
        self._pipeline: Any

    def place(self) -> Place:
        """Where this is."""
        return Place(self._node, this_host(), socket.gethostname(), os.getpid())

    def start(self, shipment: Shipment | None) -> Worker:
        """Get ready: threads limited, TensorFlow's runtime started, task built."""
        for name, value in self._order.variables.items():
            if value is None:
                os.environ.pop(name, None)  # Ray sets some of them
            else:
                os.environ[name] = value
        plan, began = self._order.pipeline, perf_counter()
        plan.import_stages()
        import_s = perf_counter() - began
        threads = start_runtime(self._order.limits, tensorflow=plan.uses_tensorflow)
        returns = self._order.returns is not Returns.digest
        self._pipeline = plan.build((lambda sink, array: ReturningSink(sink, array, self, None)) if returns else None)
        if shipment is not None:
            self._pipeline.reader.close()
            self._pipeline.reader = ShippedReader(shipment)
        return Worker(pid=os.getpid(), threads=threads, import_s=import_s, cpus=allowed_cpus())

    def send(self, result: Returned) -> None:
        """Keep a result until the run of items that it is of is done; the sink calls this."""
        self._kept.append(result)

    def handle(self, items: range, worker: int, number: int, verify: bool) -> Part:
        """Take a run of items through the pipeline."""
        records = Records()
        if verify:
            self._pipeline.verify(items, records)
        else:
            self._pipeline.begin(number)
            self._pipeline.handle(items, worker, 0, records)
            records.receipt = self._pipeline.end()
        kept, self._kept = self._kept, []
        results: bytes | list[Returned] | None = kept or None
        if results is not None and self._order.returns is Returns.pickle:
            results = pickle.dumps(kept)
        return Part(records, results, process_time_ns())

    def clock(self) -> int:
        """What this host's clock shows, in nanoseconds."""
        return perf_counter_ns()

    def books(self) -> Books:
        """What this process has used."""
        return Books.own()

    def here(self, pids: Sequence[int]) -> Here:
        """The memory of these processes of this node, its CPUs and its GPUs."""
        gpus = self._gpus = self._gpus or Gpus()
        readings = [
            {"name": device.name, "memory_total_bytes": device.memory_bytes, **vars(sample), "missing": dict(device.missing)}
            for device, sample in zip(gpus.devices, gpus.sample(pids), strict=True)
        ]
        return Here(footprint(pids, None), usable_cpus(), readings, gpus.absent)

    def sees(self, path: str) -> bool:
        """Whether there is a file of this name here."""
        return Path(path).exists()

    def unlike(self) -> str | None:
        """What of the images in files is not here as it is where the trial is, in words; None where everything is."""
        for image in self._order.pipeline.images:
            if (reason := image.differs_here()) is not None:
                return f"{image.where} {reason}"
        return None

    def close(self) -> None:
        """Let go of whatever is open."""
        self._pipeline.close()


def this_host() -> str:
    """A word that is the same in processes that share a clock, and in no others as far as can be told."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        booted = boot.read_text().strip()
    except OSError:
        booted = platform.platform()
    return f"{socket.gethostname()} {booted}"


def actor_class(ray: Any) -> Any:
    """The actor. It is sent by value, for it has to run where this program is still to be found.

    ``call`` gives what the method of that name gives, or what went wrong as a ``Failure``: a traceback as text crosses any border.
    """

    class ImageWorker:
        def __init__(self, paths: list[str], order: bytes) -> None:
            here = {*sys.path}
            sys.path.extend(path for path in paths if path not in here and os.path.isdir(path))  # noqa: PTH112  (as in sys.path)
            try:
                from runner.modes.ray.worker import RayWorker

                self._inside = RayWorker(pickle.loads(order), ray.get_runtime_context().get_node_id())  # noqa: S301
                self._failure = None
            except BaseException as error:
                self._failure = (type(error).__name__, str(error), traceback.format_exc())

        def call(self, name: str, *arguments: Any) -> Any:
            if self._failure is not None:
                return ("failed", *self._failure)
            try:
                return getattr(self._inside, name)(*arguments)
            except BaseException as error:
                return ("failed", type(error).__name__, str(error), traceback.format_exc())

    return ray.remote(ImageWorker)


def answered(answer: Any) -> Any:
    """What ``call`` gave; a ``Failure`` where it failed."""
    if isinstance(answer, tuple) and answer and answer[0] == "failed":
        return Failure(*answer[1:])
    return answer
