"""Samples of a trial's process tree and of the host, taken in a thread of the conductor while the trial runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil

from runner.accounting import cpu_s, footprint
from runner.config.options import Monitor
from runner.monitor.gpu import Gpus, GpuSample
from runner.trial.messages import Phase

# A kind of reading that takes c seconds is made at most every 100 c: one per cent of a core.
_COST_LIMIT = 0.01


@dataclass(frozen=True)
class Sample:
    """One moment.

    Attributes:
        at_ns: on the clock that all processes of a machine share (``time.perf_counter_ns``).
        phase: of the trial.
        cpu_pct: of the tree since the sample before; 100 is one CPU. None where there is no sample before.
        host_cpu_pct: of the whole host, 100 is all CPUs.
        rss_bytes: sum over the tree; pages that processes share count once for each.
        memory_bytes: of the tree, shared pages counted once; costly, so taken more rarely.
        threads, processes: of the tree.
        gpus: one sample a device.
    """

    at_ns: int
    phase: str
    cpu_pct: float | None = None
    host_cpu_pct: float | None = None
    rss_bytes: int | None = None
    memory_bytes: int | None = None
    threads: int | None = None
    processes: int | None = None
    gpus: Sequence[GpuSample] = ()


class _Turn:
    """Says when a kind of reading is due: at its interval, or more rarely where it has proved costly."""

    def __init__(self, interval_s: float, *, at_once: bool) -> None:
        self._interval_s = interval_s
        self._next = 0.0 if at_once else time.monotonic() + interval_s

    def due(self) -> bool:
        return time.monotonic() >= self._next

    def took(self, began: float) -> None:
        now = time.monotonic()
        self._next = now + max(self._interval_s, (now - began) / _COST_LIMIT)


@dataclass
class _State:
    """What the next sample is compared with."""

    pids: tuple[int, ...] = ()
    fork_server: int | None = None
    phase: str = "before"
    tree_cpu_s: float | None = None
    host: tuple[float, float] | None = None  # busy, total seconds
    at_ns: int = 0
    samples: list[Sample] = field(default_factory=list)


class Sampler:
    """Takes samples between ``start`` and ``stop``; hears of the trial's phases through ``on_phase``."""

    def __init__(self, option: Monitor, gpus: Gpus) -> None:
        self._option = option
        self._gpus = gpus
        self._lock = threading.Lock()
        self._state = _State()
        self._ended = threading.Event()
        self._detail = _Turn(option.interval_s, at_once=True)
        self._memory = _Turn(option.memory_interval_s, at_once=False)
        self._gpu = _Turn(max(option.interval_s, 0.2), at_once=True)
        self._thread = threading.Thread(target=self._sample_on, name="monitor", daemon=True)

    def start(self) -> None:
        self._sample()
        if self._option.enabled:
            self._thread.start()

    def on_phase(self, phase: Phase) -> None:
        """The trial is in another phase now; a sample is taken where one ends and another begins."""
        self._sample()
        with self._lock:
            self._state.phase = phase.name
            self._state.pids = phase.pids
            # Another set of processes has another sum: no difference across it.
            self._state.tree_cpu_s = cpu_s(phase.pids)

    def stop(self) -> list[Sample]:
        """The samples, in order of time; only those at the phases' borders where sampling is off."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._state.phase, self._state.pids, self._state.tree_cpu_s = "after", (), None
        self._sample()
        return self._state.samples

    def _sample_on(self) -> None:
        while not self._ended.wait(self._option.interval_s):
            self._sample()

    def _sample(self) -> None:
        with self._lock:
            state = self._state
            now = time.perf_counter_ns()
            elapsed_s = (now - state.at_ns) * 1e-9
            busy_total = _host_busy_total_s()
            tree = cpu_s(state.pids) if state.pids else None
            cpu_pct = host_pct = None
            if tree is not None and state.tree_cpu_s is not None and elapsed_s > 0:
                cpu_pct = max(0.0, tree - state.tree_cpu_s) / elapsed_s * 100
            if state.host is not None and (total := busy_total[1] - state.host[1]) > 0:
                host_pct = min(100.0, max(0.0, (busy_total[0] - state.host[0]) / total * 100))
            rss, threads, processes = self._read_detail(state.pids)
            state.samples.append(
                Sample(
                    at_ns=now,
                    phase=state.phase,
                    cpu_pct=cpu_pct,
                    host_cpu_pct=host_pct,
                    rss_bytes=rss,
                    memory_bytes=self._read_memory(state),
                    threads=threads,
                    processes=processes,
                    gpus=self._read_gpus(),
                )
            )
            state.at_ns, state.tree_cpu_s = now, tree
            if host_pct is not None or state.host is None:
                state.host = busy_total  # the host's clock ticks at 10 ms: wait until it has moved

    def _read_detail(self, pids: tuple[int, ...]) -> tuple[int | None, int | None, int | None]:
        if not pids or not self._option.enabled or not self._detail.due():
            return None, None, None
        began = time.monotonic()
        rss = threads = processes = 0
        for pid in pids:
            try:
                process = psutil.Process(pid)
                rss += process.memory_info().rss
                threads += process.num_threads()
                processes += 1
            except psutil.Error:
                continue
        self._detail.took(began)
        return rss, threads, processes

    def _read_memory(self, state: _State) -> int | None:
        # Between epochs the trial reads its own memory; from here it is read where an epoch is long.
        if state.phase != "epoch" or not self._option.enabled or not self._memory.due():
            return None
        began = time.monotonic()
        if state.fork_server is None:
            state.fork_server = _fork_server_of(state.pids[0])
        memory = footprint(state.pids, state.fork_server or None).memory_bytes
        self._memory.took(began)
        return memory

    def _read_gpus(self) -> Sequence[GpuSample]:
        if not self._gpus.names or not self._gpu.due():
            return ()
        began = time.monotonic()
        samples = self._gpus.sample()
        self._gpu.took(began)
        return samples


def _host_busy_total_s() -> tuple[float, float]:
    times = psutil.cpu_times()
    total = sum(times[:8])  # guest time, where there is any, is in user time already
    idle = times.idle + getattr(times, "iowait", 0.0)
    return total - idle, total


def _fork_server_of(trial: int) -> int:
    """The trial's parent if that is a fork server and not this process, otherwise 0."""
    try:
        parent = psutil.Process(trial).ppid()
    except psutil.Error:
        return 0
    return 0 if parent == psutil.Process().pid else parent
