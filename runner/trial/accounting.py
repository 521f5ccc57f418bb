"""The processes of a trial's tree and their usage, read in the trial outside the timed work."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from runner.host.memory import Footprint, footprint, together
from runner.host.processes import started_by
from runner.host.usage import COUNTS_ENDED_CHILDREN, Usage, cpu_s, largest_resident_bytes, own_usage, total, usage_of
from runner.modes import ClusterMode, Mode, Worker, WorkerId, WorkerUsage


class Accounting:
    """The usage of this process's tree.

    Attributes:
        pids: the known processes of the tree on this host, this one first.

    Args:
        fork_server: the fork server that this process comes from; None without one.
    """

    def __init__(self, fork_server: int | None) -> None:
        self.pids: tuple[int, ...] = (os.getpid(),)
        self._fork_server = fork_server
        self._mode: Mode | None = None  # while its workers can be asked for their usage
        self._workers: tuple[Worker, ...] = ()
        self._reports: Mapping[WorkerId, WorkerUsage] = {}
        self._counts_ended = COUNTS_ENDED_CHILDREN

    def add_workers(self, mode: Mode, workers: Sequence[Worker]) -> None:
        """Count these workers, which the mode has started."""
        self._mode = mode
        # The processes of a cluster are not children of this one.
        self._counts_ended = COUNTS_ENDED_CHILDREN and not isinstance(mode, ClusterMode)
        self._set_workers(workers)

    def stop_asking(self) -> None:
        """Do not ask the workers any more, because they are about to be stopped."""
        self._mode = None

    def remove_workers(self) -> None:
        """Remove the workers, which have ended. Other processes, such as loky's resource tracker, may still run."""
        gone = {worker.pid for worker in self._workers} - {os.getpid()}
        self.pids = tuple(pid for pid in self.pids if pid not in gone)

    def update_workers(self) -> None:
        """Notice workers that the cluster has replaced."""
        if isinstance(self._mode, ClusterMode) and (now := tuple(self._mode.workers())) != self._workers:
            self._set_workers(now)

    def _set_workers(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)
        pids = tuple(dict.fromkeys(worker.pid for worker in workers if worker.pid != os.getpid() and not worker.remote))
        self.pids = (os.getpid(), *_children_except(pids), *pids)

    def usage(self) -> Usage:
        """The tree's usage so far. Running workers are asked; the system adds the usage of ended ones to this process."""
        if self._mode is not None:
            self._reports = self._mode.worker_usage()
        asked = {os.getpid(), *self._reports}
        others = [usage_of(pid) for pid in self.pids if pid not in asked]
        # If the system does not add the usage of ended workers, their last report counts.
        reports = self._reports.values() if self._mode is not None or not self._counts_ended else ()
        return total([own_usage(), *others, *(report.usage for report in reports)])

    def cpu_s(self) -> float:
        """CPU seconds of the processes on this host, by their clocks."""
        return cpu_s(self.pids)

    def reported_cpu_s(self, workers: Iterable[WorkerId]) -> float:
        """CPU seconds of these workers, by their last reports."""
        return sum(self._reports[worker].usage.cpu_s or 0.0 for worker in workers if worker in self._reports)

    def remote_workers(self) -> list[WorkerId]:
        """The workers on other hosts that have reported."""
        return [worker for worker in self._reports if isinstance(worker, str)]

    def footprint_with_new(self) -> Footprint | None:
        """The same with processes that have come since the workers were announced, where there are any: those of loaders that start them in each pass."""
        new = _children_except(self.pids)
        return footprint((*self.pids, *new), self._fork_server) if new else None

    def footprint(self) -> Footprint:
        """Memory, threads and processes of the tree, and of the workers on other hosts."""
        self.update_workers()
        largest = [largest_resident_bytes(), *(report.largest_resident_bytes for report in self._reports.values())]
        here = footprint(self.pids, self._fork_server, sum(size for size in largest if size is not None) or None)
        return together([here, *(self._mode.remote_memory() if isinstance(self._mode, ClusterMode) else ())])


def _children_except(workers: Sequence[int]) -> list[int]:
    """The processes of the tree that are not workers, such as a fork server that the trial has started."""
    return [pid for pid in started_by(os.getpid()) if pid not in workers]
