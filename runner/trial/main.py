"""A trial: start-up, warm-up, timed epochs, verification, teardown, in the fresh process made for it."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import Connection
from time import perf_counter_ns, thread_time
from typing import Any

import psutil

from runner.config.options import Cache
from runner.errors import ConductorGone, TrialError
from runner.host.affinity import read_back, restrict
from runner.host.memory import Footprint, footprint, together
from runner.host.usage import Usage, cpu_s, cpu_s_of, largest_resident_bytes, own_usage, total, usage_of
from runner.host.watchdog import die_with_parent, kill_group
from runner.modes import Books, Epoch, Mode, Spread, Who, Worker
from runner.modes.workers.runtime import set_environment
from runner.pipeline.sinks import Sent
from runner.pipeline.stamps import Records
from runner.trial import preload
from runner.trial.gil_probe import GilProbe, GilWaits
from runner.trial.messages import EpochReport, Failure, Phase, Progress, Report, TrialPlan
from runner.trial.page_cache import PageCache


def run_trial(connection: Connection, plan: TrialPlan, forked_by_server: bool) -> None:
    """The trial process, from its first line to its last; its last message is a ``Report`` or a ``Failure``."""
    if hasattr(os, "setsid"):
        # A group of its own: it can be ended as a whole, and Ctrl-C reaches only the conductor, which decides.
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if plan.log is not None:
        _print_to(plan.log)
    faulthandler.enable()
    try:
        connection.send(_Trial(connection, plan, forked_by_server).run())
    except ConductorGone:
        kill_group()
    except TrialError as error:
        text = error.remote_traceback or traceback.format_exc()
        connection.send(Failure(error.status, error.kind, str(error), text))
    except BaseException as error:  # told to the supervisor, which records it
        connection.send(Failure("failed", type(error).__name__, str(error), traceback.format_exc()))


class _Trial:
    def __init__(self, connection: Connection, plan: TrialPlan, forked_by_server: bool) -> None:
        self._connection = connection
        self._plan = plan
        self._fork_server = os.getppid() if forked_by_server else None
        self._pids: tuple[int, ...] = (os.getpid(),)
        self._workers: tuple[Worker, ...] = ()
        self._met: tuple[Worker, ...] = ()
        self._mode: Mode | None = None  # while it has workers that can be asked
        self._told: Mapping[Who, Books] = {}
        self._inherits = hasattr(os, "wait4")  # whether what ended workers have used is in this process's own books
        self._sent: list[Sent] = []
        self._cache = PageCache(plan.cache)

    def run(self) -> Report:
        plan = self._plan
        restrict(plan.cpus)
        began = self._enter("import")
        set_environment(plan.mode.limits, preload.users_environment)
        mode: Mode = import_module(plan.mode_module).PROVIDES(plan.mode)
        if mode.imports_here:
            plan.mode.pipeline.import_stages()
        import_s = self._since(began)
        gc.collect()
        if not mode.forks:
            die_with_parent(kill_group)

        began = self._enter("startup")
        self._workers = tuple(mode.start())
        startup_s = self._since(began)
        self._mode = mode
        self._inherits = self._inherits and not isinstance(mode, Spread)
        if mode.forks:
            die_with_parent(kill_group)
        self._meet(self._workers)
        if any(worker.elsewhere for worker in self._workers):
            self._cache.cannot_be("workers on other hosts have page caches of their own")

        self._enter("pause")
        at_ready = self._footprint()
        self._cache.before_the_first_epoch()
        self._enter("warmup")
        warmup_s = sum(self._warmup_s(mode) for _ in range(plan.warmup_epochs))
        epochs, gil = self._timed_epochs(mode)
        self._enter("pause")
        at_end = self._footprint()
        self._enter("verify")
        different = min(plan.items, len(plan.mode.pipeline.images))
        verification = mode.run(Epoch(different, verify=True), _Watch(self, None))

        backend: dict[str, Any] = mode.facts() if hasattr(mode, "facts") else {}
        nodes = tuple(mode.nodes()) if isinstance(mode, Spread) else ()
        node_of = dict(mode.node_of()) if isinstance(mode, Spread) else {}
        began = self._enter("teardown")
        self._mode = None
        mode.stop()
        teardown_s = self._since(began)
        # Processes that are no workers may live on, such as the one in which loky keeps count of what is to be tidied up.
        workers = {worker.pid for worker in self._met} - {os.getpid()}
        self._pids = tuple(pid for pid in self._pids if pid not in workers)
        self._enter("end")
        return Report(
            import_s=import_s,
            preload_s=preload.import_s,
            startup_s=startup_s,
            warmup_s=warmup_s,
            teardown_s=teardown_s,
            workers=self._workers,
            epochs=tuple(epochs),
            verification=verification,
            footprint=_larger(at_ready, at_end),
            memory_bytes=(at_ready.memory_bytes, at_end.memory_bytes),
            cpus=read_back(),
            gil=gil,
            backend=backend,
            nodes=nodes,
            node_of=node_of,
            sent=tuple(self._sent),
            cache=None if plan.cache.kind is Cache.as_is else self._cache.report,
        )

    def tell(self, message: Phase | Progress) -> None:
        self._connection.send(message)

    def cpu_s(self) -> float:
        return cpu_s(self._pids)

    def pids(self) -> tuple[int, ...]:
        return self._pids

    def told_cpu_s(self, who: Iterable[Who]) -> float:
        """CPU seconds of these as they told them last."""
        return sum(self._told[one].usage.cpu_s or 0.0 for one in who if one in self._told)

    def elsewhere(self) -> list[Who]:
        """The workers of other hosts that have told of themselves."""
        return [who for who in self._told if isinstance(who, str)]

    def meet_again(self) -> None:
        """Workers may have been replaced."""
        if isinstance(self._mode, Spread) and (now := tuple(self._mode.crew())) != self._met:
            self._meet(now)

    def _meet(self, workers: Sequence[Worker]) -> None:
        self._met = tuple(workers)
        pids = tuple(dict.fromkeys(worker.pid for worker in workers if worker.pid != os.getpid() and not worker.elsewhere))
        self._pids = (os.getpid(), *_others(pids), *pids)

    def usage(self) -> Usage:
        """What the tree has used by now. Workers that live are asked; those that have ended are in this process's own books."""
        if self._mode is not None:
            self._told = self._mode.books()
        asked = {os.getpid(), *self._told}
        others = [usage_of(pid) for pid in self._pids if pid not in asked]
        # Where ended workers are in nobody's books (Windows; a cluster's), what they said last stands.
        told = self._told.values() if self._mode is not None or not self._inherits else ()
        return total([own_usage(), *others, *(books.usage for books in told)])

    @property
    def _works_here(self) -> bool:
        """Whether the workers are threads of this process."""
        return all(worker.pid == os.getpid() for worker in self._workers)

    def _timed_epochs(self, mode: Mode) -> tuple[list[EpochReport], GilWaits | None]:
        probe = GilProbe() if self._plan.gil_probe and self._works_here and GilProbe.can_tell() else None
        if probe is not None:
            probe.start()
        epochs = [self._timed(mode, number) for number in range(self._plan.epochs)]
        return epochs, None if probe is None else probe.stop()

    def _warmup_s(self, mode: Mode) -> float:
        self._cache.before_each_epoch()
        began = perf_counter_ns()
        self._sent.append(Sent.of(mode.run(Epoch(self._plan.items, number=len(self._sent)), _Watch(self, None))))
        return self._since(began)

    def _timed(self, mode: Mode, number: int) -> EpochReport:
        if self._cache.cold:
            self._enter("pause")  # what it takes is no part of an epoch
            self._cache.before_each_epoch()
        self._enter("epoch")
        watch = _Watch(self, number)
        records: Records = mode.run(Epoch(self._plan.items, number=len(self._sent)), watch)
        self._sent.append(Sent.of(records))
        collect_cpu_s = None if self._works_here else watch.collect_cpu_s
        return EpochReport(watch.released_ns, watch.finished_ns, watch.cpu_s, watch.usage, records, collect_cpu_s)

    def _footprint(self) -> Footprint:
        self.meet_again()
        largest = [largest_resident_bytes(), *(books.largest_resident_bytes for books in self._told.values())]
        here = footprint(self._pids, self._fork_server, sum(size for size in largest if size is not None) or None)
        return together([here, *(self._mode.elsewhere() if isinstance(self._mode, Spread) else ())])

    def _enter(self, phase: str) -> int:
        """Tell the conductor, and go on when it has taken its sample: from then on it is idle."""
        self.tell(Phase(phase, perf_counter_ns(), self._pids, self.usage()))
        try:
            self._connection.recv()
        except EOFError:
            raise ConductorGone("the conductor is gone") from None
        return perf_counter_ns()

    @staticmethod
    def _since(at_ns: int) -> float:
        return (perf_counter_ns() - at_ns) * 1e-9


class _Watch:
    """Times one epoch; clocks and books are read outside the timed stretch."""

    def __init__(self, trial: _Trial, number: int | None) -> None:
        self._trial = trial
        self._number = number
        self.released_ns = self.finished_ns = 0
        self.cpu_s = self.collect_cpu_s = 0.0
        self.usage = Usage()

    def released(self) -> None:
        self._trial.meet_again()
        self._before = self._trial.usage()
        self._pids = self._trial.pids()
        self.cpu_s = -self._trial.told_cpu_s(self._trial.elsewhere())
        self.cpu_s -= self._trial.cpu_s()
        self.collect_cpu_s = -thread_time()
        self.released_ns = perf_counter_ns()

    def progress(self, done: int) -> None:
        self._trial.tell(Progress(self._number, done))

    def finished(self) -> None:
        self.finished_ns = perf_counter_ns()
        self.collect_cpu_s += thread_time()
        self._trial.meet_again()
        self.cpu_s += self._trial.cpu_s()
        self.usage = self._trial.usage() - self._before
        # What is on other hosts has told of itself, and so has what was here and is no more.
        gone = (pid for pid in self._pids if cpu_s_of(pid) is None)
        self.cpu_s += self._trial.told_cpu_s([*self._trial.elsewhere(), *gone])
        # The clocks are those of processes that live: what came and went within the epoch is in its parent's books.
        self.cpu_s += self.usage.ended_cpu_s or 0.0


def _others(workers: Sequence[int]) -> list[int]:
    """Processes of the tree that are no workers: a fork server of this trial's own, where it has one, belongs to what it takes."""
    try:
        below = psutil.Process().children(recursive=True)
    except (psutil.Error, OSError):
        return []
    return [child.pid for child in below if child.pid not in workers]


def _larger(one: Footprint, other: Footprint) -> Footprint:
    def larger(mine: int | None, theirs: int | None) -> int | None:
        return max((value for value in (mine, theirs) if value is not None), default=None)

    return Footprint(
        larger(one.memory_bytes, other.memory_bytes),
        other.memory_method,
        larger(one.pss_bytes, other.pss_bytes),
        larger(one.threads, other.threads),
        max(one.processes, other.processes),
    )


def _print_to(log: str) -> None:
    """Send what this process and its workers print, from Python or from C++, to ``log``."""
    target = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
