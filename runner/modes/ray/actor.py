"""What an actor does: it is a worker in a process of its own, with TensorFlow of its own, on whatever node Ray puts it."""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, perf_counter_ns, process_time_ns
from typing import Any

from runner.config.options import Returns
from runner.host.environment import usable_cpus
from runner.host.gpu import Gpus
from runner.host.memory import footprint
from runner.modes import Worker, WorkerUsage
from runner.modes.ray.location import Location
from runner.modes.ray.messages import ActorPlan, NodeReading, RunDone
from runner.modes.ray.shipment import Shipment, ShippedReader
from runner.modes.workers.messages import Returned, WorkerFailure
from runner.modes.workers.returning import Kept, ReturningSink
from runner.modes.workers.runtime import start_runtime
from runner.pipeline.stamps import Records


class ActorWorker:
    """Answers calls, one at a time; ``start`` comes before the calls that need a pipeline."""

    def __init__(self, plan: ActorPlan, node: str) -> None:
        self._plan = plan
        self._node = node
        self._kept = Kept()
        self._gpus: Gpus | None = None
        self._pipeline: Any

    def location(self) -> Location:
        """Where this process is."""
        return Location.this_process(self._node)

    def start(self, shipment: Shipment | None) -> Worker:
        """Get ready: threads limited, TensorFlow's runtime started, task built."""
        for name, value in self._plan.environment.items():
            if value is None:
                os.environ.pop(name, None)  # Ray sets some of them
            else:
                os.environ[name] = value
        pipeline, began = self._plan.pipeline, perf_counter()
        pipeline.import_stages()
        import_s = perf_counter() - began
        threads = start_runtime(self._plan.limits, tensorflow=pipeline.uses_tensorflow)
        returns = self._plan.returns is not Returns.digest
        self._pipeline = pipeline.build(
            (lambda sink, array: ReturningSink(sink, array, self._kept, None)) if returns else None,
            None if shipment is None else ShippedReader(shipment),
        )
        return Worker.this_process(threads, import_s)

    def handle(self, items: range, worker: int, epoch: int, verify: bool) -> RunDone:
        """Take a run of items through the pipeline."""
        records = Records()
        if verify:
            self._pipeline.verify(items, records)
        else:
            self._pipeline.begin(epoch)
            self._pipeline.handle(items, worker, 0, records)
            records.receipt = self._pipeline.end()
        kept = self._kept.taken()
        results: bytes | list[Returned] | None = kept or None
        if results is not None and self._plan.returns is Returns.pickle:
            results = pickle.dumps(kept)
        return RunDone(records, results, process_time_ns())

    def clock(self) -> int:
        """What this host's clock shows, in nanoseconds."""
        return perf_counter_ns()

    def usage(self) -> WorkerUsage:
        """What this process has used."""
        return WorkerUsage.this_process()

    def node_reading(self, pids: Sequence[int]) -> NodeReading:
        """The memory of these processes of this node, its CPUs and its GPUs."""
        gpus = self._gpus = self._gpus or Gpus()
        readings = [
            {"name": device.name, "memory_total_bytes": device.memory_bytes, **vars(sample), "missing": dict(device.missing)}
            for device, sample in zip(gpus.devices, gpus.sample(pids), strict=True)
        ]
        return NodeReading(footprint(pids, None), usable_cpus(), readings, gpus.absent)

    def file_exists(self, path: str) -> bool:
        """Whether this host has a file of this name."""
        return Path(path).exists()

    def different_image(self) -> str | None:
        """Which image file is not here what it is where the trial is, in words; None where all of them are the same."""
        for image in self._plan.pipeline.images:
            if (reason := image.differs_here()) is not None:
                return f"{image.where} {reason}"
        return None

    def close(self) -> None:
        """Let go of whatever is open."""
        self._pipeline.close()


def actor_class(ray: Any) -> Any:
    """The actor. Ray sends it by value, because it runs where this program is still to be imported.

    Its ``call`` returns what the method of that name returns, or the failure as plain text, for ``failure_in``.
    """

    class ImageWorker:
        def __init__(self, paths: list[str], plan: bytes) -> None:
            known = {*sys.path}
            sys.path.extend(path for path in paths if path not in known and os.path.isdir(path))  # noqa: PTH112  (as in sys.path)
            try:
                from runner.modes.ray.actor import ActorWorker

                self._inside = ActorWorker(pickle.loads(plan), ray.get_runtime_context().get_node_id())  # noqa: S301
                self._failure = None
            except BaseException as error:
                self._failure = ("failed", type(error).__name__, str(error), traceback.format_exc())

        def call(self, name: str, *arguments: Any) -> Any:
            if self._failure is not None:
                return self._failure
            try:
                return getattr(self._inside, name)(*arguments)
            except BaseException as error:
                return ("failed", type(error).__name__, str(error), traceback.format_exc())

    return ray.remote(ImageWorker)


def failure_in(answer: Any) -> WorkerFailure | None:
    """The failure that a ``call`` has returned; None where it has returned what was asked for."""
    if isinstance(answer, tuple) and answer and answer[0] == "failed":
        return WorkerFailure(*answer[1:])
    return None
