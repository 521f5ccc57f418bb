"""What about a machine would spoil a measurement: its conditions judged, with what the program does about each and what its user can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from runner.analysis.preflight import limits, memory_and_storage, neighbours, processors
from runner.analysis.preflight.outcome import Outcome
from runner.analysis.warnings.machine import FREQUENCY_CHANGE, MEMORY_PRESSURE_PCT, OTHER_LOAD_PCT, STOLEN_PCT, THROTTLED
from runner.host.conditions import Conditions, MachineFinding
from runner.host.load import HostLoad

_FREQUENCY = f"records the frequency around each trial, and warns where it changes by {FREQUENCY_CHANGE * 100:.0f} %"

_HANDLING = {
    "governor": _FREQUENCY,
    "turbo": f"{_FREQUENCY}; rounds are interleaved, so that all points meet the same",
    "smt": "nothing: the kernel decides which hardware threads workers run on",
    "numa": "nothing: the kernel decides which nodes workers and their memory are on",
    "quota": f"counts the quota as the CPUs that may be used, and warns where it withholds {THROTTLED * 100:.0f} CPU-seconds in 100 seconds",
    "memory_limit": "says before a trial whether it is likely to need more, and names the limit where a process is killed for it",
    "memory_pressure": f"records it for each trial, and warns from {MEMORY_PRESSURE_PCT:.0f} % on",
    "io_pressure": "records it for each trial",
    "swap": "records for each phase the page faults that needed a read from storage",
    "page_cache": "says where source.cache could not be applied; what the other machine has in its cache is not seen",
    "open_files": "refuses a run that needs more before it starts",
    "tasks": "refuses a run that needs more before it starts",
    "address_space": "names the limit where a trial fails for it",
    "shared_memory": "does without it, but mode=ray has its object store there, and loaders such as mode=torch their results",
    "counters": "leaves these figures empty",
    "battery": _FREQUENCY,
    "heat": _FREQUENCY,
    "other_load": f"records it for each trial, and warns from {OTHER_LOAD_PCT:.0f} % on",
    "steal": f"records it for each trial, and warns from {STOLEN_PCT:.0f} % on",
}

_CHECKS: Mapping[str, Callable[[Conditions], Outcome]] = {
    "governor": processors.governor,
    "turbo": processors.turbo,
    "smt": processors.smt,
    "numa": processors.numa,
    "quota": processors.quota,
    "memory_limit": memory_and_storage.memory_limit,
    "memory_pressure": memory_and_storage.memory_pressure,
    "io_pressure": memory_and_storage.io_pressure,
    "swap": memory_and_storage.swap,
    "page_cache": memory_and_storage.page_cache,
    "open_files": limits.open_files,
    "tasks": limits.tasks,
    "address_space": limits.address_space,
    "shared_memory": memory_and_storage.shared_memory,
    "counters": limits.counters,
    "battery": processors.battery,
    "heat": processors.heat,
}


def preflight(conditions: Conditions, load: HostLoad | None = None) -> list[MachineFinding]:
    """Every check with its outcome, in a fixed order; ``load`` is that of some time in which this program was idle, None where none was taken."""
    outcomes = {kind: check(conditions) for kind, check in _CHECKS.items()}
    if load is not None:
        outcomes |= {"other_load": neighbours.other_load(load), "steal": neighbours.steal(load)}
    return [
        {
            "kind": kind,
            "state": state,
            "message": message,
            "handling": _HANDLING[kind] if state == "found" else "",
            "advice": advice,
        }
        for kind, (state, message, advice) in outcomes.items()
    ]


def for_records(findings: Sequence[MachineFinding]) -> list[MachineFinding]:
    """What a record has of them: what was found, and what could not be read."""
    return [one for one in findings if one["state"] != "fine"]
