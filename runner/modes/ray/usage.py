"""What the workers have used, on whatever host they are, also those that have ended."""

from __future__ import annotations

from dataclasses import replace

from runner.host.usage import Usage, usage_of
from runner.modes import WorkerId, WorkerUsage
from runner.modes.ray.calls import Calls
from runner.modes.ray.cluster import Cluster
from runner.modes.ray.worker_handle import WorkerHandle
from runner.modes.ray.workers import Workers


class UsageReports:
    """The last report of every worker there ever was, and of the other processes of a cluster that was started here."""

    def __init__(self, workers: Workers, cluster: Cluster, calls: Calls) -> None:
        self._workers, self._cluster, self._calls = workers, cluster, calls
        self._last: dict[WorkerId, WorkerUsage] = {}

    def updated(self) -> dict[WorkerId, WorkerUsage]:
        """All of them, after each living process was asked again."""
        workers = self._workers.alive()
        reports = self._calls.answers_of_living([(worker, worker.call("usage")) for worker in workers])
        for worker, report in zip(workers, reports, strict=True):
            if report is not None:
                worker.usage = self._last[worker.id] = report
        pids = [worker.location.pid for worker in self._workers.all if worker.location is not None]
        for pid in self._cluster.other_processes(pids):
            self._last[pid] = WorkerUsage(usage_of(pid), None)
        return dict(self._last)

    def settle(self, worker: WorkerHandle) -> None:
        """Complete the report of a worker that has just ended by the CPU time that it reported with its last run of items."""
        if worker.report is None or worker.dead:
            return
        last = worker.usage or WorkerUsage(Usage(), None)
        more_s = max(0.0, worker.cpu_ns * 1e-9 - (last.usage.cpu_s or 0.0))
        usage = replace(last.usage, cpu_user_s=(last.usage.cpu_user_s or 0.0) + more_s)
        worker.usage = self._last[worker.id] = replace(last, usage=usage)
