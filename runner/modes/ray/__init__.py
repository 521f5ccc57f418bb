"""``mode=ray``: actors on a cluster, one that is started here or one that runs already; this process sends them runs of items."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from runner.config.options import Ray
from runner.errors import TrialError
from runner.host.memory import Footprint
from runner.modes import ClusterMode, Epoch, EpochEvents, ModePlan, Worker, WorkerId, WorkerUsage
from runner.modes.ray.calls import Calls
from runner.modes.ray.clocks import HostClocks
from runner.modes.ray.cluster import Cluster
from runner.modes.ray.connection import head_gone, imported_ray
from runner.modes.ray.dispatch import Dispatch
from runner.modes.ray.nodes import Nodes
from runner.modes.ray.runs import Runs
from runner.modes.ray.temporary_folder import remove_abandoned
from runner.modes.ray.usage import UsageReports
from runner.modes.ray.workers import Workers
from runner.pipeline.collector import Collector
from runner.pipeline.stamps import Records


class RayMode(ClusterMode):
    """``workers`` actors."""

    imports_here = False

    def __init__(self, plan: ModePlan) -> None:
        self._plan = plan
        self._option: Ray = plan.mode
        self._ray = imported_ray(self._option)
        self._calls = Calls(self._ray)
        self._cluster: Cluster
        self._workers: Workers
        self._clocks: HostClocks
        self._usage: UsageReports
        self._nodes: Nodes
        self._durations: dict[str, float] = {}
        self._retried = 0

    def start(self) -> list[Worker]:
        option, began = self._option, perf_counter()
        if option.address is None:
            self._cluster = Cluster.started(self._ray, option, self._plan.workers)
        else:
            self._cluster = Cluster.joined(self._ray, option.address)
        self._durations["cluster_s"], began = perf_counter() - began, perf_counter()
        self._workers = Workers(self._ray, self._plan, self._cluster, self._calls)
        self._clocks = HostClocks(self._workers, self._calls)
        self._usage = UsageReports(self._workers, self._cluster, self._calls)
        self._nodes = Nodes(self._workers, self._clocks, self._calls)
        with self._cluster_ended_on_failure():
            self._workers.start()
        self._durations["actors_s"] = perf_counter() - began
        return self._workers.reports()

    def run(self, epoch: Epoch, events: EpochEvents) -> Records:
        with self._cluster_ended_on_failure():
            self._workers.replacements()
            self._clocks.estimate()
            runs = Runs(epoch.items, self._plan, events.intake)
            dispatch = Dispatch(self._workers, self._calls, self._usage, self._clocks, epoch, runs, Collector(self._plan.spool))
            events.released()
            dispatch.run(events)
            events.finished()
            self._retried += runs.retried
            return dispatch.records()

    def stop(self) -> None:
        self._workers.stop()
        self._cluster.end()

    def worker_usage(self) -> dict[WorkerId, WorkerUsage]:
        return self._usage.updated()

    def workers(self) -> list[Worker]:
        return self._workers.reports()

    def node_of(self) -> dict[int, str]:
        return {worker.number: self._workers.node_name(worker) for worker in self._workers.all if worker.report is not None}

    def remote_memory(self) -> list[Footprint]:
        return self._nodes.read()

    def nodes(self) -> list[dict[str, Any]]:
        return self._nodes.records()

    def facts(self) -> dict[str, Any]:
        return {
            "ray": self._ray.__version__,
            "cluster": "started here" if self._cluster.embedded else self._option.address,
            "connection_attempts": self._cluster.attempts,
            "placement": self._option.placement.value,
            **self._durations,
            "shipped_bytes": self._workers.shipped_bytes,
            "retried_images": self._retried,
            "workers_replaced": sum(1 for worker in self._workers.all if worker.dead),
            "workers_at_end": len(self._workers.alive()),
        }

    @staticmethod
    def why_silent(option: Ray) -> TrialError | None:
        return head_gone(option.address)

    @staticmethod
    def after_trial(pid: int) -> None:  # noqa: ARG004
        remove_abandoned()

    @contextlib.contextmanager
    def _cluster_ended_on_failure(self) -> Iterator[None]:
        try:
            yield
        except TrialError:
            self._cluster.end()
            raise


PROVIDES = RayMode
