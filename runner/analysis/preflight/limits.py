"""What the system allows a process, and what the kernel shows of it."""

from __future__ import annotations

from runner.analysis.preflight.outcome import Outcome, fine, found, unknown
from runner.host.conditions import COUNTERS, Conditions
from runner.record.sizes import gigabytes

# Below these, runs of usual size come close to what the system allows: open files of a process; processes and threads.
FEW_FILES = 1024
FEW_TASKS = 1000


def open_files(now: Conditions) -> Outcome:
    """Whether a process may open many files."""
    if not now.linux and now.limits.open_files is None:
        return unknown("the system does not say how many files a process may open")
    if now.limits.open_files is None or now.limits.open_files >= FEW_FILES:
        return fine("a process may open files enough")
    return found(f"a process may open {now.limits.open_files} files (RLIMIT_NOFILE)", f"ulimit -n {FEW_FILES * 4}")


def tasks(now: Conditions) -> Outcome:
    """Whether there may be many processes and threads."""
    limits = now.limits
    if not now.linux and limits.tasks is None:
        return unknown("the system does not say how many processes and threads there may be")
    if limits.tasks is None or limits.tasks >= FEW_TASKS:
        return fine("there may be processes and threads enough")
    how = "ulimit -u" if limits.tasks_name == "RLIMIT_NPROC" else "a higher pids.max of the control group"
    return found(f"{limits.tasks_name}={limits.tasks_most} leaves room for {limits.tasks} processes and threads", how)


def address_space(now: Conditions) -> Outcome:
    """Whether the address space of a process is limited."""
    if not now.linux and now.limits.address_space_bytes is None:
        return unknown("the system does not say whether a process's address space is limited")
    if now.limits.address_space_bytes is None:
        return fine("the address space of a process is not limited")
    return found(
        f"a process may have {gigabytes(now.limits.address_space_bytes)} of address space (RLIMIT_AS), of which libraries reserve more than they use",
        "ulimit -v unlimited",
    )


def counters(now: Conditions) -> Outcome:
    """Whether the kernel has the counters that the monitor reads."""
    if now.missing_counters is None:
        return unknown("counters are looked for in /proc, which only Linux has")
    if not now.missing_counters:
        return fine("the kernel has all counters that are read")
    lacking = "; ".join(f"{name} ({COUNTERS[name][1]})" for name in now.missing_counters)
    return found(
        f"the kernel does not have, or does not show: {lacking}",
        "a newer kernel, with psi=1 among its parameters for the first",
    )
