"""The CPUs: their frequency, what they share, and how much of them may be used."""

from __future__ import annotations

from runner.analysis.preflight.outcome import Outcome, fine, found, unknown
from runner.config.cpus import as_text
from runner.host.conditions import Conditions


def governor(now: Conditions) -> Outcome:
    """Whether the frequency follows the load."""
    if now.governors is None:
        return unknown("the system does not say how the CPUs' frequency is governed; virtual machines mostly do not")
    if now.governors == ("performance",):
        return fine("the CPUs' frequency governor is performance")
    return found(
        f"the CPUs' frequency governor is {', '.join(now.governors)}, so that the frequency follows the load",
        "sudo cpupower frequency-set -g performance",
    )


def turbo(now: Conditions) -> Outcome:
    """Whether CPUs run faster while few are busy."""
    if now.turbo is None:
        return unknown("the system does not say whether the CPUs may run above their nominal frequency (turbo)")
    if not now.turbo:
        return fine("the CPUs stay at their nominal frequency at most")
    return found(
        "the CPUs may run above their nominal frequency (turbo): fewer busy ones run faster, so that speed-ups look smaller than they are",
        "turn it off in the firmware, or in /sys/devices/system/cpu: intel_pstate/no_turbo or cpufreq/boost",
    )


def smt(now: Conditions) -> Outcome:
    """Whether CPUs share cores."""
    if now.cores is None or now.cpus is None:
        return unknown("the system does not say which CPUs share a core (SMT)")
    if len(now.cores) == len(now.cpus):
        return fine("no two of the CPUs share a core")
    one_each = as_text(tuple(sorted(core[0] for core in now.cores)))
    return found(
        f"{len(now.cpus)} CPUs share {len(now.cores)} cores (SMT): more workers than cores gain less than their number",
        f"affinity={one_each if ',' not in one_each else repr(one_each)} takes one CPU of each core",
    )


def numa(now: Conditions) -> Outcome:
    """Whether memory is nearer to some CPUs than to others."""
    if now.nodes is None:
        return unknown("the system does not say which CPUs share a memory node (NUMA)")
    if len(now.nodes) == 1:
        return fine("all CPUs share one memory node")
    first = as_text(now.nodes[0])
    return found(
        f"the CPUs belong to {len(now.nodes)} memory nodes (NUMA): memory of another node is slower, and where a trial's is differs by chance",
        f"affinity={first if ',' not in first else repr(first)} keeps trials to one node",
    )


def quota(now: Conditions) -> Outcome:
    """Whether fewer CPUs may be used than there are."""
    if not now.linux:
        return unknown("whether there is a CPU quota is looked for in control groups, which only Linux has")
    if now.quota is None or (now.cpus is not None and now.quota >= len(now.cpus)):
        return fine("no CPU quota is in force")
    of = "" if now.cpus is None else f" of {len(now.cpus)}"
    return found(
        f"the control group allows {now.quota:g}{of} CPUs on average, and stops all threads at once when they have been used up",
        f"no more than {max(1, int(now.quota))} busy workers, or a larger quota",
    )


def battery(now: Conditions) -> Outcome:
    """Whether the machine saves power."""
    if now.on_battery is None:
        return unknown("the system does not say whether it runs on a battery")
    if not now.on_battery:
        return fine("the machine does not run on a battery")
    return found("the machine runs on its battery, and saves power as it thinks best", "plug it in")


def heat(now: Conditions) -> Outcome:
    """Whether CPUs have been slowed for their temperature."""
    if now.slowed_for_heat is None:
        return unknown("the system does not say whether CPUs have been slowed for their temperature")
    if not now.slowed_for_heat:
        return fine("no CPU has been slowed for its temperature since the system started")
    return found(
        f"CPUs have been slowed for their temperature {now.slowed_for_heat} times since the system started",
        "better cooling; pauses between trials, which more rounds are not",
    )
