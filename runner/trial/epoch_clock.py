"""Times one epoch. CPU clocks and usage are read before and after the timed stretch, never in it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, thread_time

from runner.host.usage import Usage, cpu_s_of
from runner.trial.accounting import Accounting


class EpochClock:
    """The clock of an epoch; a mode calls its methods while it runs the epoch.

    Attributes:
        released_ns, finished_ns: on the clock that all processes of a machine share.
        cpu_s: CPU seconds of the tree between the two.
        usage: of the tree between the two.
        collect_cpu_s: CPU seconds of the thread that runs the epoch in the trial.
        intake: None without a consumer.

    Args:
        on_progress: is called from time to time with the number of items that are done.
    """

    intake: None = None

    def __init__(self, accounting: Accounting, on_progress: Callable[[int], None]) -> None:
        self._accounting = accounting
        self.progress = on_progress
        self.released_ns = self.finished_ns = 0
        self.cpu_s = self.collect_cpu_s = 0.0
        self.usage = Usage()

    def released(self) -> None:
        accounting = self._accounting
        accounting.update_workers()
        self._before = accounting.usage()
        self._pids = accounting.pids
        self.cpu_s = -accounting.reported_cpu_s(accounting.remote_workers())
        self.cpu_s -= accounting.cpu_s()
        self.collect_cpu_s = -thread_time()
        self.released_ns = perf_counter_ns()

    def finished(self) -> None:
        self.finished_ns = perf_counter_ns()
        self.collect_cpu_s += thread_time()
        accounting = self._accounting
        accounting.update_workers()
        self.cpu_s += accounting.cpu_s()
        self.usage = accounting.usage() - self._before
        # This host has no clock of remote or ended workers, so their reports count.
        ended = (pid for pid in self._pids if cpu_s_of(pid) is None)
        self.cpu_s += accounting.reported_cpu_s([*accounting.remote_workers(), *ended])
        # A process that started and ended within the epoch has no clock either; the usage of its parent contains it.
        self.cpu_s += self.usage.ended_cpu_s or 0.0
