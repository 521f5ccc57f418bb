"""A trial: start-up, warm-up, timed epochs, verification, teardown, in the fresh process made for it."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import sys
import traceback
from functools import partial, reduce
from importlib import import_module
from pathlib import Path
from time import perf_counter_ns

from runner.config.options import Cache
from runner.disk import set_hook, spool_files
from runner.errors import ConductorGone, StorageError, TrialError
from runner.host.affinity import allowed_cpus, restrict
from runner.host.connections import Connection
from runner.host.interpreter_facts import loaded_packages, python_facts
from runner.host.memory import Footprint
from runner.host.processes import kill_own_group, lead_session
from runner.host.watchdog import die_with_parent
from runner.modes import ClusterMode, Epoch, Mode, Worker
from runner.modes.workers.runtime import set_environment
from runner.pipeline.sinks import Sent
from runner.pipeline.stamps import Records
from runner.secrets import learn
from runner.secrets.streams import mask_streams
from runner.trial import preload
from runner.trial.accounting import Accounting
from runner.trial.epoch_clock import EpochClock
from runner.trial.gil_probe import GilProbe, GilWaits
from runner.trial.messages import EpochReport, Phase, Progress, Report, TrialFailure, TrialPlan, mode_class
from runner.trial.page_cache import PageCache
from runner.trial.steps import Feeding


def run_trial(connection: Connection, plan: TrialPlan, forked_by_server: bool) -> None:
    """All that the trial process does. Its last message is a ``Report`` or a ``TrialFailure``."""
    lead_session()
    set_hook(plan.disk_hook)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.enable()
    try:
        if plan.log is not None:
            _print_to(plan.log)
            mask_streams()
        if plan.code is not None:
            plan.code.use()
        learn(plan.mode.pipeline.secrets)
        connection.send(_Trial(connection, plan, os.getppid() if forked_by_server else None).run())
    except ConductorGone:
        _leave_nothing(plan)
    except TrialError as error:
        text = error.remote_traceback or traceback.format_exc()
        _send_last(connection, plan, TrialFailure(error.status, error.kind, str(error), text))
    except BaseException as error:  # sent to the supervisor, which records it
        _send_last(connection, plan, TrialFailure("failed", type(error).__name__, str(error), traceback.format_exc()))


def _send_last(connection: Connection, plan: TrialPlan, failure: TrialFailure) -> None:
    try:
        connection.send(failure)
    except OSError:  # the conductor is gone, which may be the failure itself
        _leave_nothing(plan)


def _leave_nothing(plan: TrialPlan) -> None:
    """End this process and its workers, where the conductor, which would tidy up after them, is gone."""
    with contextlib.suppress(Exception):
        if plan.mode.spool is not None:
            for path in spool_files(Path(plan.mode.spool)):
                path.unlink(missing_ok=True)
        mode_class(plan).after_trial(os.getpid())
    kill_own_group()


class _Trial:
    def __init__(self, connection: Connection, plan: TrialPlan, fork_server: int | None) -> None:
        self._connection = connection
        self._plan = plan
        self._accounting = Accounting(fork_server)
        self._workers: tuple[Worker, ...] = ()
        self._sent: list[Sent] = []
        self._at_work: Footprint | None = None
        self._cache = PageCache(plan.cache)
        self._feeding: Feeding | None = None

    def run(self) -> Report:
        plan = self._plan
        restrict(plan.cpus)
        mode, import_s = self._import()
        startup_s = self._start(mode)
        self._enter("pause")
        self._feeding = self._fed()
        at_ready = self._accounting.footprint()
        self._cache.before_the_first_epoch()
        self._enter("warmup")
        warmup_s = sum(self._warmup_s(mode) for _ in range(plan.warmup_epochs))
        epochs, gil = self._timed_epochs(mode)
        self._enter("pause")
        at_end = self._accounting.footprint()
        verification = self._verify(mode)
        seen = [at_end, *([] if self._at_work is None else [self._at_work])]
        backend = dict(mode.facts())
        nodes = tuple(mode.nodes()) if isinstance(mode, ClusterMode) else ()
        node_of = dict(mode.node_of()) if isinstance(mode, ClusterMode) else {}
        teardown_s = self._stop(mode)
        return Report(
            import_s=import_s,
            preload_s=preload.import_s,
            startup_s=startup_s,
            warmup_s=warmup_s,
            teardown_s=teardown_s,
            workers=self._workers,
            epochs=tuple(epochs),
            verification=verification,
            footprint=reduce(_larger, seen, at_ready),
            memory_bytes=(at_ready.memory_bytes, at_end.memory_bytes),
            cpus=allowed_cpus(),
            gil=gil,
            backend=backend,
            nodes=nodes,
            node_of=node_of,
            sent=tuple(self._sent),
            cache=None if plan.cache.kind is Cache.as_is else self._cache.report,
            consumer=None if self._feeding is None else self._feeding.report(),
            python=None if plan.python is None else python_facts(loaded_packages()),
        )

    def _import(self) -> tuple[Mode, float]:
        """The mode, and the seconds that the imports of this process took."""
        plan = self._plan
        began = self._enter("import")
        set_environment(plan.mode.limits, preload.users_environment)
        mode: Mode = import_module(plan.mode_module).PROVIDES(plan.mode)
        if mode.imports_here:
            plan.mode.pipeline.import_stages()
        return mode, _since(began)

    def _start(self, mode: Mode) -> float:
        """Start the workers; returns the seconds that took."""
        gc.collect()
        if not mode.forks:
            die_with_parent(partial(_leave_nothing, self._plan))
        began = self._enter("startup")
        self._workers = tuple(mode.start())
        startup_s = _since(began)
        if mode.forks:
            die_with_parent(partial(_leave_nothing, self._plan))
        self._accounting.add_workers(mode, self._workers)
        if any(worker.remote for worker in self._workers):
            self._cache.fail("workers on other hosts have page caches of their own")
        return startup_s

    def _warmup_s(self, mode: Mode) -> float:
        self._cache.before_each_epoch()
        began = perf_counter_ns()
        self._pass(mode, self._clock(None), timed=False)
        return _since(began)

    def _fed(self) -> Feeding | None:
        """The consumer, built after the workers: those that are forked must come from a process without TensorFlow's runtime."""
        plan = self._plan
        if plan.consumer is None:
            return None
        runs = self._works_here and (plan.mode.pipeline.uses_tensorflow or plan.mode.mode.uses_tensorflow)
        return Feeding(plan.consumer, plan.mode, tensorflow_runs=runs)

    def _timed_epochs(self, mode: Mode) -> tuple[list[EpochReport], GilWaits | None]:
        probe = GilProbe() if self._plan.gil_probe and self._works_here and GilProbe.has_lock() else None
        if probe is not None:
            probe.start()
        epochs = [self._timed(mode, number) for number in range(self._plan.epochs)]
        return epochs, None if probe is None else probe.stop()

    def _timed(self, mode: Mode, number: int) -> EpochReport:
        if self._cache.cold:
            self._enter("pause")  # dropping files takes time that belongs to no epoch
            self._cache.before_each_epoch()
        self._enter("epoch")
        clock = self._clock(number)
        records = self._pass(mode, clock, timed=True)
        collect_cpu_s = None if self._works_here else clock.collect_cpu_s
        return EpochReport(clock.released_ns, clock.finished_ns, clock.cpu_s, clock.usage, records, collect_cpu_s)

    def _verify(self, mode: Mode) -> Records:
        self._enter("verify")
        different = min(self._plan.items, len(self._plan.mode.pipeline.images))
        return mode.run(Epoch(different, verify=True), self._clock(None))

    def _stop(self, mode: Mode) -> float:
        """Stop the workers; returns the seconds that took."""
        began = self._enter("teardown")
        self._accounting.stop_asking()
        mode.stop()
        teardown_s = _since(began)
        self._accounting.remove_workers()
        self._enter("end")
        return teardown_s

    def _pass(self, mode: Mode, clock: EpochClock, *, timed: bool) -> Records:
        """Send all items through the pipeline once."""
        items = self._plan.items
        events = clock if self._feeding is None else self._feeding.clock(clock, items, timed=timed)
        records = mode.run(Epoch(items, number=len(self._sent)), events)
        self._sent.append(Sent.of(records))
        return records

    def _clock(self, epoch: int | None) -> EpochClock:
        """A clock that reports progress to the conductor, for the timed epoch with this number.

        None is a pass that is not timed: then the memory of workers that end with the pass is read too.
        """

        def progress(done: int) -> None:
            self._connection.send(Progress(epoch, done))
            if epoch is None and (now := self._accounting.footprint_with_new()) is not None:
                self._at_work = now if self._at_work is None else _larger(self._at_work, now)

        return EpochClock(self._accounting, progress)

    @property
    def _works_here(self) -> bool:
        """Whether the workers are threads of this process."""
        return all(worker.pid == os.getpid() for worker in self._workers)

    def _enter(self, phase: str) -> int:
        """Announce the phase, and wait until the conductor has taken its sample and is idle. Returns the time on the shared clock."""
        self._connection.send(Phase(phase, perf_counter_ns(), self._accounting.pids, self._accounting.usage()))
        try:
            self._connection.recv()
        except EOFError:
            raise ConductorGone("the conductor is gone") from None
        return perf_counter_ns()


def _since(at_ns: int) -> float:
    return (perf_counter_ns() - at_ns) * 1e-9


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
    """Redirect what this process and its workers print, from Python or C++, to ``log``."""
    try:
        target = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    except OSError as error:
        raise StorageError(Path(log), error) from error
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # what it was open on is full
            stream.flush()
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    os.dup2(target, 1)
    os.dup2(target, 2)
    os.close(target)
