"""The workers of ``mode=ray``: started, lost, replaced, stopped."""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import time
from dataclasses import dataclass, replace
from typing import Any

from runner.config.options import Ray
from runner.errors import TrialKilled, first_line
from runner.modes import ModePlan, Worker
from runner.modes.ray.actor import actor_class
from runner.modes.ray.calls import Calls
from runner.modes.ray.cluster import Cluster
from runner.modes.ray.messages import ActorPlan
from runner.modes.ray.reach import check_sink, check_source
from runner.modes.ray.shipment import shipment_of
from runner.modes.ray.worker_handle import WorkerHandle
from runner.modes.workers.runtime import VARIABLES

# Where every worker has ended, how long the cluster gets to find room for another one; how long workers get to leave. Seconds.
_NO_WORKER_S = 30.0
_LEAVE_S = 10.0


@dataclass(frozen=True)
class _Replacement:
    """A worker that is to replace another and is not ready yet; ``location`` is the call that is answered once there is room for it."""

    worker: WorkerHandle
    since: float
    location: Any


class Workers:
    """The workers of a trial.

    Attributes:
        all: every worker there ever was.
        shipped_bytes: the size of the source, where it was sent to the nodes.
    """

    def __init__(self, ray: Any, plan: ModePlan, cluster: Cluster, calls: Calls) -> None:
        self.all: list[WorkerHandle] = []
        self.shipped_bytes: int | None = None
        self._ray, self._plan, self._cluster, self._calls = ray, plan, cluster, calls
        self._option: Ray = plan.mode
        self._actor_plan: Any = None
        self._shipment: Any = None
        self._node_names: dict[str, str] = {}
        self._replacements: dict[Any, _Replacement] = {}

    def start(self) -> None:
        """Get every worker ready.

        Raises:
            TrialError: one of them could not be started, or cannot reach what it is to read or write.
        """
        plan, option = self._plan, self._option
        self._cluster.reserve(option, plan.workers)
        environment = {name: os.environ.get(name) for name in VARIABLES}
        self._actor_plan = self._ray.put(pickle.dumps(ActorPlan(plan.limits, plan.pipeline, option.returns, environment)))
        if option.ship_source:
            self._ship()
        workers = [self._new() for _ in range(plan.workers)]
        for worker, location in zip(workers, self._calls.ask(workers, "location"), strict=True):
            worker.location = location
        for worker in {worker.known_location.node: worker for worker in workers}.values():
            self._check_reach(worker)
        for worker, report in zip(workers, self._calls.ask(workers, "start", self._shipment), strict=True):
            _set_ready(worker, report)

    def alive(self) -> list[WorkerHandle]:
        """The workers that are ready and have not ended."""
        return [worker for worker in self.all if worker.report is not None and not worker.dead]

    def reports(self) -> list[Worker]:
        """What those workers reported when they were ready."""
        return [worker.report for worker in self.alive() if worker.report is not None]

    def node_name(self, worker: WorkerHandle) -> str:
        """The name of the node that a worker is on."""
        if worker.location is None:
            return "unknown"
        if worker.location.node not in self._node_names:
            self._node_names |= self._cluster.node_names()
        return self._node_names.get(worker.location.node, worker.location.node)

    def replace(self, worker: WorkerHandle, error: Exception) -> None:
        """Start a worker in place of one that has ended, once for each.

        Raises:
            TrialKilled: no image may be tried again.
        """
        if worker.dead:
            return
        worker.dead = True
        with contextlib.suppress(Exception):
            self._ray.kill(worker.actor, no_restart=True)  # one that only cannot be reached is not to come back
        if self._option.max_retries == 0:
            name = f"worker {worker.number} on node {self.node_name(worker)}"
            raise TrialKilled(f"{name} was killed: {first_line(error)}") from error
        new = self._new()
        location = new.call("location")
        self._replacements[new.call("start", self._shipment)] = _Replacement(new, time.monotonic(), location)

    def replacements(self, wait_s: float = 0.0) -> list[WorkerHandle]:
        """Replacements that have become ready by now, or within ``wait_s`` where none had; each is returned once.

        Raises:
            TrialError: one of them could not be started, or no worker is left and the cluster has no room for one.
        """
        if not self._replacements:
            return []
        workers = []
        for ref in self._calls.first_done(list(self._replacements), wait_s):
            replacement = self._replacements.pop(ref)
            worker = replacement.worker
            try:
                worker.location = self._calls.result(replacement.location, worker)
                report = self._calls.result(ref, worker)
            except self._calls.died as error:
                raise TrialKilled(f"worker {worker.number} died while it was started: {first_line(error)}") from error
            self._check_reach(worker)
            _set_ready(worker, report)
            workers.append(worker)
        if not self.alive():
            self._give_up_without_room()
        return workers

    def stop(self) -> None:
        """Return when every worker has ended, or has had time enough to."""
        workers = self.alive()
        if workers:
            self._ray.wait([worker.call("close") for worker in workers], num_returns=len(workers), timeout=_LEAVE_S)
        for worker in self.all:
            self._ray.kill(worker.actor, no_restart=True)
        if workers:  # a call to a worker that has ended is answered by an error
            self._ray.wait([worker.call("location") for worker in workers], num_returns=len(workers), timeout=_LEAVE_S)

    def _new(self) -> WorkerHandle:
        actors = actor_class(self._ray).options(
            num_cpus=self._option.cpus_per_worker,
            num_gpus=self._option.gpus_per_worker or None,
            max_restarts=0,
            max_task_retries=0,
            **self._cluster.actor_options(),
        )
        worker = WorkerHandle(len(self.all), actors.remote(sys.path, self._actor_plan))
        self.all.append(worker)
        return worker

    def _ship(self) -> None:
        shipment = shipment_of(self._plan.pipeline)
        with self._calls.translated():
            self._shipment = self._ray.put(shipment)
        self.shipped_bytes = shipment.content.nbytes

    def _check_reach(self, worker: WorkerHandle) -> None:
        """Ask a worker on another host whether it can reach what it is to read and to write."""
        if not worker.remote:
            return

        def ask(name: str, *arguments: Any) -> Any:
            return self._calls.ask([worker], name, *arguments)[0]

        if self._shipment is None:
            check_source(self._plan.pipeline, self.node_name(worker), ask)
        check_sink(self._plan.pipeline, self.node_name(worker), ask)

    def _give_up_without_room(self) -> None:
        for replacement in self._replacements.values():
            placed, _ = self._ray.wait([replacement.location], timeout=0)
            if not placed and time.monotonic() - replacement.since > _NO_WORKER_S:
                raise TrialKilled(f"no worker is left, and in {_NO_WORKER_S:g} s the cluster had no room for another")


def _set_ready(worker: WorkerHandle, report: Worker) -> None:
    worker.report = replace(report, remote=worker.remote, cpus=None if worker.remote else report.cpus)
