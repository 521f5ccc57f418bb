"""Warnings about the machine: other load, quotas, memory, the CPUs' frequency, and what the system cannot measure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

from runner.record.trial_schema import GoodTrial
from runner.record.warning import ResultWarning

# Other programs, and time stolen by other virtual machines, in per cent of all CPUs during the timed work.
OTHER_LOAD_PCT = 10.0
STOLEN_PCT = 2.0

# CPU seconds withheld by a quota, per second; time in which some task waited for memory, per cent.
THROTTLED = 0.02
MEMORY_PRESSURE_PCT = 5.0

# The highest frequency seen over the lowest; the share of the time without samples.
FREQUENCY_CHANGE = 0.10
GAPS = 0.2

_MEMORY_METHODS = {
    "uss": "the sum of each process's own pages, shared ones left out",
    "rss": "the sum of resident memory, shared pages counted for each process",
    "largest_rss": "the sum of the most that each process ever had resident, shared pages counted for each",
}


def other_load(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """Other programs used the CPUs during the trials, or neighbours on the same hardware did."""
    others = _middle(good, "other_cpu_pct") or 0.0
    stolen = _middle(good, "stolen_pct") or 0.0
    if others < OTHER_LOAD_PCT and stolen < STOLEN_PCT:
        return None
    return ResultWarning(
        "other_load",
        f"during the trials other programs used {others:.0f} % of the host's CPUs, and {stolen:.0f} % was stolen by its neighbours",
        "end what else runs, or take more rounds",
    )


def throttled(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The control group's CPU quota stopped the trials."""
    shares = [
        trial["host"]["throttled_s"] / wall_s
        for trial in good
        if trial["host"]["throttled_s"] is not None and (wall_s := sum(phase["wall_s"] or 0.0 for phase in trial["phases"]))
    ]
    if not shares or statistics.median(shares) < THROTTLED:
        return None
    return ResultWarning(
        "throttled",
        f"the control group was stopped at its CPU quota: {statistics.median(shares) * 100:.0f} CPU-seconds in 100 seconds",
        "these numbers are those of the quota; fewer workers, or a larger quota",
    )


def short_of_memory(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """Tasks on the host waited for memory."""
    waited = _middle(good, "pressure_memory_pct")
    if waited is None or waited < MEMORY_PRESSURE_PCT:
        return None
    return ResultWarning(
        "short_of_memory",
        f"in {waited:.0f} % of the time some task of the host waited for memory",
        "fewer workers, or a machine with more memory",
    )


def frequency_changed(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The CPUs' frequency differed between trials."""
    seen = [trial["host"][name] for trial in good for name in ("frequency_mhz_before", "frequency_mhz_after")]
    known = [value for value in seen if value]
    if len(known) < 4 or max(known) < min(known) * (1 + FREQUENCY_CHANGE):
        return None
    return ResultWarning(
        "frequency_changed",
        f"the CPUs ran at {min(known):.0f} to {max(known):.0f} MHz around the trials",
        "fix the frequency (governor, turbo) where you may; otherwise more rounds",
    )


def gaps(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """The monitor missed samples."""
    share = statistics.median(
        trial["monitor"]["gaps_s"] / wall_s
        for trial in good
        if (wall_s := sum(phase["wall_s"] or 0.0 for phase in trial["phases"]))
    )
    if share < GAPS:
        return None
    return ResultWarning(
        "gaps_in_samples",
        f"in {share * 100:.0f} % of the time samples are missing: the monitor did not get a CPU when it was due",
        "read peaks with care; times and CPU seconds are not touched",
    )


def lock_is_back(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """A module made a Python without an interpreter lock take one."""
    pythons = [python for trial in good if (python := trial.get("python")) is not None]
    if not any(python["free_threaded_build"] and python["gil"] for python in pythons):
        return None
    return ResultWarning(
        "lock_is_back",
        "this Python is built to run without an interpreter lock, and had one in the trials: a module that was imported asks for it",
        "PYTHON_GIL=0 keeps it off; the module may not be made for that",
    )


def less_precise(good: Sequence[GoodTrial]) -> ResultWarning | None:
    """This system does not provide some figures, or only rougher ones."""
    trial = good[0]
    without = []
    if trial["peak_memory_method"] is None:
        without.append("memory is unknown")
    elif trial["peak_memory_method"] != "pss":
        without.append(f"memory is {_MEMORY_METHODS[trial['peak_memory_method']]}")
    if trial["host"]["other_cpu_pct"] is None:
        without.append("the load of other programs is unknown")
    if trial["epochs"][0]["read_bytes"] is None:
        without.append("bytes read and written are unknown")
    if trial["gil"] and trial["gil"]["held_pct"] is not None and not trial["gil"]["excludes_cpu_wait"]:
        without.append("the wait for the interpreter lock contains that for a CPU")
    if not without:
        return None
    return ResultWarning(
        "less_precise", "this system measures less: " + "; ".join(without), "read these figures as what they are"
    )


def _middle(good: Sequence[GoodTrial], name: Literal["other_cpu_pct", "stolen_pct", "pressure_memory_pct"]) -> float | None:
    """The median of a condition of the host over trials, None where none of them knows it."""
    known = [value for trial in good if (value := trial["host"][name]) is not None]
    return statistics.median(known) if known else None
