"""Samples of a trial's process tree and of the host, taken in a thread of the conductor while the trial runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from runner.config.options import Monitor
from runner.host.gpu import Gpus, GpuSample
from runner.host.load import busy_and_total_s
from runner.host.memory import footprint
from runner.monitor.schema import MonitorRecord
from runner.monitor.tree import Pacing, Tree

# A pause between samples that is longer than this many intervals is a gap.
_GAP_INTERVALS = 2.0

# NVML's own figures are means over at least a sixth of a second.
_GPU_INTERVAL_S = 0.2

# The phases in which a trial starts processes that it has not announced.
_WITH_NEW_PROCESSES = ("startup", "warmup", "epoch", "verify")

# How the kinds of readings divide the share of a core that the monitor may use.
_SHARES = {"detail": 0.25, "search": 0.1, "host": 0.1, "memory": 0.25, "gpu": 0.2}

# The assumed cost of reading the memory of a process with TensorFlow, until it is measured.
_MEMORY_COST_S = 0.01


@dataclass(frozen=True)
class Sample:
    """The trial and its host at one moment.

    Attributes:
        at_ns: on the clock that all processes of a machine share (``time.perf_counter_ns``).
        phase: of the trial up to this sample.
        gap_s: seconds since the sample before, if it is so long ago that samples are missing; otherwise None.
        cpu_pct: of the tree since the sample before; 100 is one CPU. None for the first sample.
        host_cpu_pct: of the whole host, 100 is all CPUs.
        rss_bytes: sum over the tree; a shared page counts once for each process.
        memory_bytes: of the tree, shared pages counted once. It is costly, so fewer samples have it.
        pss_bytes: sum of the proportional shares, in the same samples as ``memory_bytes``.
        threads, processes: of the tree.
        gpus: one sample a device.
    """

    at_ns: int
    phase: str
    gap_s: float | None = None
    cpu_pct: float | None = None
    host_cpu_pct: float | None = None
    rss_bytes: int | None = None
    memory_bytes: int | None = None
    pss_bytes: int | None = None
    threads: int | None = None
    processes: int | None = None
    gpus: Sequence[GpuSample] = ()


@dataclass(frozen=True)
class Samples:
    """The monitor's samples of one trial.

    Attributes:
        taken: in order of time. If sampling is off, only those at the borders of phases.
        began_ns, ended_ns: on the shared clock.
        cpu_s: CPU seconds that the monitor itself used.
        tree_cpu_s: CPU seconds of the trial's tree from the start of its startup to the last sample; None if it never started up.
    """

    taken: Sequence[Sample]
    began_ns: int
    ended_ns: int
    cpu_s: float
    tree_cpu_s: float | None

    def record(self, option: Monitor) -> MonitorRecord:
        """As ``result.json`` has it: how well the trial was watched, and what that cost."""
        gaps = [sample.gap_s for sample in self.taken if sample.gap_s is not None]
        seconds = (self.ended_ns - self.began_ns) * 1e-9
        return {
            "enabled": option.enabled,
            "interval_s": option.interval_s if option.enabled else None,
            "samples": len(self.taken),
            "gaps": len(gaps),
            "gaps_s": sum(gaps),
            "longest_gap_s": max(gaps, default=0.0),
            "cpu_s": self.cpu_s,
            "cpu_pct_of_a_core": self.cpu_s / seconds * 100 if seconds > 0 else None,
        }


class Sampler:
    """Takes samples between ``start`` and ``stop``; ``on_phase`` is called when the trial enters a phase."""

    def __init__(self, option: Monitor, gpus: Gpus) -> None:
        self._option = option
        self._gpus = gpus
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample_on, name="monitor", daemon=True)
        self._pacings = {kind: self._pacing(kind) for kind in _SHARES}
        self._tree = Tree()
        self._counting = False
        self._fork_server: int | None = None
        self._phase = "before"
        self._host: tuple[float, float] | None = None
        self._samples: list[Sample] = []
        self._began_ns = 0
        self._cpu_s = 0.0

    def _pacing(self, kind: str) -> Pacing:
        option = self._option
        slower = {"memory": option.memory_interval_s, "gpu": max(option.interval_s, _GPU_INTERVAL_S)}
        return Pacing(slower.get(kind, option.interval_s), _SHARES[kind] * option.cost_limit_pct / 100)

    def start(self) -> None:
        self._began_ns = time.perf_counter_ns()
        self._sample(border=True)
        if self._option.enabled:
            self._thread.start()

    def on_phase(self, name: str, pids: Sequence[int]) -> None:
        """The trial has entered phase ``name``, with the processes ``pids``; takes the sample at the border of the two phases."""
        with self._lock:
            if self._phase == "startup":
                # The last sample of the startup includes the workers that it has started.
                self._tree.set_processes(pids)
        self._sample(border=True)
        with self._lock:
            self._phase = name
            self._tree.set_processes(pids)
            if not self._counting:
                self._tree.start_counting()
                self._counting = name == "startup"

    def stop(self) -> Samples:
        """End the sampling after the trial; returns all samples."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        with self._lock:
            self._phase = "after"
            self._tree.set_processes(())
        self._sample(border=True)
        used = self._tree.used_s if self._counting else None
        return Samples(self._samples, self._began_ns, time.perf_counter_ns(), self._cpu_s, used)

    def _sample_on(self) -> None:
        interval_s = self._option.interval_s
        due = time.monotonic() + interval_s
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self._sample(border=False)
            # The next point of the grid, however long this sample took; missed points show as a gap.
            due += max(1, -(-(time.monotonic() - due) // interval_s)) * interval_s

    def _sample(self, *, border: bool) -> None:
        """Take one sample. At the border of two phases the trial waits, so everything cheap is read there, due or not."""
        with self._lock:
            began = time.thread_time()
            # Workers come in the startup, those of some loaders in each pass.
            if self._phase in _WITH_NEW_PROCESSES and self._allowed("search", border=False):
                self._read("search", self._tree.add_started_processes)
            # Right before the CPU clocks are read, so that the usage belongs to the time between the two samples.
            now = time.perf_counter_ns()
            before_ns = self._samples[-1].at_ns if self._samples else None
            elapsed_s = (now - before_ns) * 1e-9 if before_ns is not None else 0.0
            used_s = self._tree.advance()
            detail = self._read("detail", self._tree.detail) if self._allowed("detail", border=border) else None
            memory, pss = self._memory()
            self._samples.append(
                Sample(
                    at_ns=now,
                    phase=self._phase,
                    gap_s=elapsed_s if self._is_gap(elapsed_s) else None,
                    cpu_pct=used_s / elapsed_s * 100 if used_s is not None and elapsed_s > 0 else None,
                    host_cpu_pct=self._host_cpu_pct(border=border),
                    rss_bytes=detail and detail.rss_bytes,
                    memory_bytes=memory,
                    pss_bytes=pss,
                    threads=detail and detail.threads,
                    processes=detail and detail.processes,
                    gpus=self._gpu_samples(border=border),
                )
            )
            self._cpu_s += time.thread_time() - began

    def _is_gap(self, elapsed_s: float) -> bool:
        return self._option.enabled and elapsed_s > _GAP_INTERVALS * self._option.interval_s

    def _allowed(self, kind: str, *, border: bool) -> bool:
        return self._option.enabled and (border or self._pacings[kind].due())

    def _read(self, kind: str, reading: Any) -> Any:
        began = time.thread_time()
        try:
            return reading()
        finally:
            self._pacings[kind].took(time.thread_time() - began)

    def _host_cpu_pct(self, *, border: bool) -> float | None:
        if not self._allowed("host", border=border):
            return None
        now = self._read("host", busy_and_total_s)
        before, self._host = self._host, now or self._host
        if before is None or now is None:
            return None
        total_s = now[1] - before[1]
        if total_s <= 0:  # the host's counters tick every 10 ms: compare when they have moved
            self._host = before
            return None
        return float(min(100.0, max(0.0, (now[0] - before[0]) / total_s * 100)))

    def _memory(self) -> tuple[int | None, int | None]:
        # The trial reads its own memory between epochs; this reads it during long epochs.
        pids = self._tree.pids
        if self._phase != "epoch" or not pids or not self._option.enabled:
            return None, None
        if not self._pacings["memory"].due(_MEMORY_COST_S * len(pids)):
            return None, None
        if self._fork_server is None:
            self._fork_server = _fork_server_of(pids[0])
        memory = self._read("memory", lambda: footprint(pids, self._fork_server or None))
        return memory.memory_bytes if memory.memory_method == "pss" else None, memory.pss_bytes

    def _gpu_samples(self, *, border: bool) -> Sequence[GpuSample]:
        if not self._gpus.devices or not self._allowed("gpu", border=border):
            return ()
        samples: Sequence[GpuSample] = self._read("gpu", lambda: self._gpus.sample(self._tree.pids))
        return samples


def _fork_server_of(trial: int) -> int:
    """The trial's parent if that is a fork server and not this process, otherwise 0."""
    try:
        parent = psutil.Process(trial).ppid()
    except (psutil.Error, OSError):
        return 0
    return 0 if parent == psutil.Process().pid else parent
