"""What a trial needs against what the system allows, in words: before it starts, and after it has failed for that reason."""

from __future__ import annotations

import re

from runner.analysis.needs import Needs, Planned, needs_of
from runner.errors import ConfigurationError, TrialError
from runner.host.limits import Limits
from runner.record.sizes import gigabytes

# What systems and libraries say when there is no more of something.
_NO_TASKS = re.compile(r"can't start new thread|Resource temporarily unavailable|Errno 11\b|pthread_create", re.IGNORECASE)
_NO_FILES = re.compile(r"Too many open files|Errno 24\b", re.IGNORECASE)
_NO_MEMORY = re.compile(
    r"MemoryError|Cannot allocate memory|Errno 12\b|bad_alloc|OOM when allocating|ResourceExhausted", re.IGNORECASE
)


def refuse_too_many(trial: Planned, limits: Limits) -> None:
    """Refuse more workers than the system lets run.

    Raises:
        ConfigurationError: it allows fewer open files, or fewer processes and threads, than there are at least.
    """
    if trial.config.mode.joins_cluster:
        return
    needs, workers = needs_of(trial), trial.config.workers
    if limits.open_files is not None and needs.files > limits.open_files:
        reason = f"need {needs.files} open files in one process, and RLIMIT_NOFILE allows {limits.open_files}"
        raise ConfigurationError("workers", workers, reason, f"fewer workers, or a higher limit: ulimit -n {needs.files * 2}")
    if limits.tasks is not None and needs.tasks > limits.tasks:
        reason = f"need at least {needs.tasks} processes and threads, and {_tasks_in_words(limits)}"
        raise ConfigurationError("workers", workers, reason, f"fewer workers, or a higher limit{_how_to_raise(limits)}")


def short_of_memory(label: str, trial: Planned, limits: Limits) -> str | None:
    """That a trial is likely to need more memory than there is, how many workers fit, and what else would; None where it fits."""
    known = [
        (most, what) for most, what in ((limits.memory_bytes, _GROUP), (limits.host_memory_bytes, _HOST)) if most is not None
    ]
    if not known or trial.config.mode.joins_cluster:
        return None
    most, what = min(known)
    needs = needs_of(trial)
    if needs.memory_bytes <= most:
        return None
    return f"{label}: {_needed(needs)}, {gigabytes(most)} are {what}: {_ways(trial, needs, most)}"


def named(error: TrialError, trial: Planned, before: Limits, after: Limits) -> TrialError:
    """The error with the limit that was reached in its message, where it is known that one was."""
    text = f"{error} {error.kind} {error.remote_traceback or ''}"
    needs = needs_of(trial)
    said = None
    if (after.oom_kills or 0) > (before.oom_kills or 0):
        limit = "" if after.memory_bytes is None else f" of {gigabytes(after.memory_bytes)}"
        most = after.memory_bytes or after.host_memory_bytes
        ways = "" if most is None else f"; {_needed(needs)}: {_ways(trial, needs, most)}"
        said = f"the memory limit{limit} was reached, and the system killed a process for it (oom_kill){ways}"
    elif _NO_FILES.search(text) and after.open_files is not None:
        said = f"RLIMIT_NOFILE allows {after.open_files} open files in one process, and {_workers_need(needs)} at least {needs.files}"
    elif _NO_TASKS.search(text) and after.tasks is not None:
        said = f"{_workers_need(needs)} at least {needs.tasks} processes and threads, and {_tasks_in_words(before)}"
    elif _NO_MEMORY.search(text) or (after.address_space_bytes is not None and "SIGABRT" in text):
        allowed = after.address_space_bytes or after.memory_bytes
        name = (
            "RLIMIT_AS, the address space of each process," if after.address_space_bytes else "the control group's memory limit"
        )
        said = None if allowed is None else f"{name} is {gigabytes(allowed)}; {_needed(needs)}"
    if said is None:
        return error
    return type(error)(f"{error}; {said}", kind=error.kind, remote_traceback=error.remote_traceback)


_PLURAL = {"process": "processes", "thread": "threads"}

_GROUP, _HOST = "allowed by the control group", "all that this host has"


def _needed(needs: Needs) -> str:
    by = f" by {needs.start_method}" if needs.start_method else ""
    return f"{_workers_need(needs)} about {gigabytes(needs.memory_bytes)}{by}"


def _workers_need(needs: Needs) -> str:
    """``15 processes need``, ``1 thread needs``."""
    return f"1 {needs.kind} needs" if needs.workers == 1 else f"{needs.workers} {_PLURAL[needs.kind]} need"


def _ways(trial: Planned, needs: Needs, most: int) -> str:
    fit = needs.fitting(most)
    ways = [f"{fit} fit{'s' if fit == 1 else ''}" if fit else "not one fits"]
    if needs.start_method == "spawn" and hasattr(trial.config.mode, "start_method"):
        forked = needs_of(trial, "fork")
        ways += ["mode.start_method=fork"] if forked.memory_bytes <= most else []
    return ", or ".join(ways)


def _tasks_in_words(limits: Limits) -> str:
    return f"{limits.tasks_name}={limits.tasks_most} leaves room for {limits.tasks}"


def _how_to_raise(limits: Limits) -> str:
    return ": ulimit -u" if limits.tasks_name == "RLIMIT_NPROC" else " of the control group"
