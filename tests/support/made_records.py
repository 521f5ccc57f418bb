"""Whole records, each made from a base with changes, and parts of records narrowed to what they are."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from runner.host.environment import Environment
from runner.host.load import HostLoad
from runner.host.usage import Usage
from runner.monitor.schema import MonitorRecord
from runner.record.point_schema import ResultJson
from runner.record.sweep_schema import ComparisonRecord
from runner.record.trial_schema import EndedPhase, EpochRecord, FailedTrial, GoodTrial, PhaseRecord, ThreadSettings, TrialRecord

T = TypeVar("T")


def known(value: T | None) -> T:
    """The value, which is not None."""
    assert value is not None
    return value


def good(trial: TrialRecord) -> GoodTrial:
    """The trial, which succeeded."""
    assert trial["status"] == "ok", trial["error"]
    return trial


def ended(phase: PhaseRecord) -> EndedPhase:
    """The phase, which came to its end."""
    assert phase["wall_s"] is not None
    return phase


def epoch(**changes: Any) -> EpochRecord:
    """An epoch of ten images in one second."""
    base: EpochRecord = {
        "released_at": 1e9, "work_s": 1.0, "images_ok": 10, "images_failed": 0, "images_per_s": 10.0,
        "cpu_s": 1.0, "cpu_user_s": 0.8, "cpu_system_s": 0.2,
        "latency_p50_s": 0.1, "latency_p95_s": 0.1, "latency_p99_s": 0.1, "read_s": 0.2, "task_s": 0.7, "sink_s": 0.1,
        "voluntary_switches": 0, "involuntary_switches": 0, "minor_faults": 0, "major_faults": 0,
        "read_bytes": 0, "written_bytes": 0, "storage_read_bytes": 0, "storage_written_bytes": 0,
    }  # fmt: skip
    return cast("EpochRecord", {**base, **changes})


def good_trial(**changes: Any) -> GoodTrial:
    """A trial of one epoch that succeeded, on a machine without a GPU."""
    host: HostLoad = {
        "other_cpu_pct": None, "stolen_pct": None, "load_1m_before": None, "load_1m_after": None,
        "frequency_mhz_before": None, "frequency_mhz_after": None, "throttled_s": None, "throttled_periods": None,
        "pressure_cpu_pct": None, "pressure_memory_pct": None, "pressure_io_pct": None,
    }  # fmt: skip
    monitor: MonitorRecord = {
        "enabled": False, "interval_s": None, "samples": 0, "gaps": 0, "gaps_s": 0.0, "longest_gap_s": 0.0,
        "cpu_s": 0.0, "cpu_pct_of_a_core": None,
    }  # fmt: skip
    threads: ThreadSettings = {"intra_op": 1, "inter_op": 1, "blas": 1}
    base: GoodTrial = {
        "round": 0, "order": 0, "session": "s", "status": "ok", "error": None, "started_at": 1e9, "ended_at": 1e9 + 2,
        "import_s": 0.0, "preload_s": 3.0, "worker_import_s": 0.0, "startup_s": 0.5, "warmup_s": 0.0, "work_s": 1.0, "teardown_s": 0.5,
        "total_s": 2.0, "cpu_s": 1.0, "cpu_user_s": 0.8, "cpu_system_s": 0.2, "cpus_usable": 2.0, "peak_memory_bytes": 100_000_000,
        "threads_peak": 3, "processes_peak": 1, "workers": 2, "tf": threads, "phases": [], "epochs": [epoch()], "image_errors": {},
        "digest": "d", "gpu": {"absent": "no driver", "devices": []}, "host": host, "monitor": monitor,
    }  # fmt: skip
    return cast("GoodTrial", {**base, **changes})


def written_trial(number: int) -> GoodTrial:
    """A trial of one second that a record on disk can have, with the phase in which it worked."""
    work: EndedPhase = {"name": "epoch", "at": 1e9, "wall_s": 1.0, **Usage().record()}
    return {
        **timed_trial(number, 1.0),
        "phases": [work],
        "gil": None,
        "cache": None,
        "cpus": None,
        "nodes": [],
        "sink": None,
        "peak_memory_method": None,
    }


def killed(trial: GoodTrial) -> FailedTrial:
    """The same trial, had it been killed at its end."""
    return {**trial, "status": "killed", "error": {"type": "TrialKilled", "message": "killed", "traceback": None}}


# What a record has to have of its configuration, to be read.
CONFIG: dict[str, Any] = {
    "mode": {"name": "thread"}, "workers": 2, "images": 2, "tf": {"intra_op": 1, "inter_op": 1}, "source": {"name": "sample"},
    "task": {"name": "tensorflow"}, "sink": {"name": "none"}, "protocol": {}, "tracking": {},
}  # fmt: skip


def result(**changes: Any) -> ResultJson:
    """The record of a point without trials."""
    environment: Environment = {
        "runner": "0.1.0", "python": "3.12.0", "python_implementation": "CPython", "python_build": "", "free_threaded_build": False,
        "gil": True, "os": "Linux", "host": "here", "user": None, "folder": "nowhere", "cpu": "a CPU", "cpus": 2, "cpus_usable": 2.0,
        "cpu_quota": None, "memory_bytes": 8_000_000_000, "gpus": [], "gpu_driver": None, "packages": {}, "git": None, "variables": {},
    }  # fmt: skip
    base: ResultJson = {
        "schema_version": 1, "status": "ok", "error": None, "overrides": [], "config": {}, "config_hash": "0" * 16,
        "command": "python -m runner", "environment": environment, "images": [], "trials": [], "metrics": {}, "warnings": [],
    }  # fmt: skip
    return cast("ResultJson", {**base, **changes})


def comparison(**changes: Any) -> ComparisonRecord:
    """A point of two processes that is found half as fast again as the baseline of two threads."""
    base: ComparisonRecord = {
        "point": "process-w2", "baseline": "thread-w2", "metric": "images_per_s", "ratio": 1.5, "low": 1.4, "high": 1.6,
        "verdict": "faster", "n": 8, "alpha": 0.05, "robust": None, "rounds_needed": None, "voided_rounds": [],
    }  # fmt: skip
    return cast("ComparisonRecord", {**base, **changes})


def timed_trial(number: int, seconds: float, session: str = "a") -> GoodTrial:
    """The trial of a round whose work took so many seconds."""
    return good_trial(
        round=number, session=session, epochs=[epoch(work_s=seconds, images_per_s=10 / seconds)],
        startup_s=1.0, teardown_s=0.1, total_s=1.1 + seconds, work_s=seconds, gil=None, peak_memory_method="pss",
        phases=[cast("PhaseRecord", {**Usage().record(), "name": "epoch", "at": 1e9, "wall_s": seconds})],
    )  # fmt: skip
