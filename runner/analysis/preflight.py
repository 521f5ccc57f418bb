"""What about a machine would spoil a measurement: its conditions judged, with what the program does about each and what its user can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from runner.analysis.warnings.machine import FREQUENCY_CHANGE, MEMORY_PRESSURE_PCT, OTHER_LOAD_PCT, STOLEN_PCT, THROTTLED
from runner.config.cpus import as_text
from runner.host.conditions import COUNTERS, Conditions, MachineFinding
from runner.host.load import HostLoad

# Below these, runs of usual size come close to what the system allows: open files of a process, processes and threads, bytes of /dev/shm.
FEW_FILES = 1024
FEW_TASKS = 1000
SMALL_SHARED_MEMORY_BYTES = 1_000_000_000

# Time in which some task waited for storage, per cent; memory that has been moved to storage.
IO_PRESSURE_PCT = 10.0
SWAP_USED_BYTES = 100_000_000

# File systems whose files lie on another machine, which has a cache and other users of its own.
NETWORK_FILE_SYSTEMS = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse.cephfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.juicefs", "fuse.rclone",
        "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs",
    }
)  # fmt: skip

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

_Outcome = tuple[Literal["found", "unknown", "fine"], str, str]


def preflight(conditions: Conditions, load: HostLoad | None = None) -> list[MachineFinding]:
    """Every check with its outcome, in a fixed order; ``load`` is that of some time in which this program was idle, None where none was taken."""
    outcomes = {kind: check(conditions) for kind, check in _CHECKS.items()}
    if load is not None:
        outcomes |= {"other_load": _other_load(load), "steal": _steal(load)}
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


def _found(message: str, advice: str) -> _Outcome:
    return "found", message, advice


def _fine(message: str) -> _Outcome:
    return "fine", message, ""


def _unknown(message: str) -> _Outcome:
    return "unknown", message, ""


def _governor(now: Conditions) -> _Outcome:
    if now.governors is None:
        return _unknown("the system does not say how the CPUs' frequency is governed; virtual machines mostly do not")
    if now.governors == ("performance",):
        return _fine("the CPUs' frequency governor is performance")
    return _found(
        f"the CPUs' frequency governor is {', '.join(now.governors)}, so that the frequency follows the load",
        "sudo cpupower frequency-set -g performance",
    )


def _turbo(now: Conditions) -> _Outcome:
    if now.turbo is None:
        return _unknown("the system does not say whether the CPUs may run above their nominal frequency (turbo)")
    if not now.turbo:
        return _fine("the CPUs stay at their nominal frequency at most")
    return _found(
        "the CPUs may run above their nominal frequency (turbo): fewer busy ones run faster, so that speed-ups look smaller than they are",
        "turn it off in the firmware, or in /sys/devices/system/cpu: intel_pstate/no_turbo or cpufreq/boost",
    )


def _smt(now: Conditions) -> _Outcome:
    if now.cores is None or now.cpus is None:
        return _unknown("the system does not say which CPUs share a core (SMT)")
    if len(now.cores) == len(now.cpus):
        return _fine("no two of the CPUs share a core")
    one_each = as_text(tuple(sorted(core[0] for core in now.cores)))
    return _found(
        f"{len(now.cpus)} CPUs share {len(now.cores)} cores (SMT): more workers than cores gain less than their number",
        f"affinity={one_each if ',' not in one_each else repr(one_each)} takes one CPU of each core",
    )


def _numa(now: Conditions) -> _Outcome:
    if now.nodes is None:
        return _unknown("the system does not say which CPUs share a memory node (NUMA)")
    if len(now.nodes) == 1:
        return _fine("all CPUs share one memory node")
    first = as_text(now.nodes[0])
    return _found(
        f"the CPUs belong to {len(now.nodes)} memory nodes (NUMA): memory of another node is slower, and where a trial's is differs by chance",
        f"affinity={first if ',' not in first else repr(first)} keeps trials to one node",
    )


def _quota(now: Conditions) -> _Outcome:
    if not now.linux:
        return _unknown("whether there is a CPU quota is looked for in control groups, which only Linux has")
    if now.quota is None or (now.cpus is not None and now.quota >= len(now.cpus)):
        return _fine("no CPU quota is in force")
    of = "" if now.cpus is None else f" of {len(now.cpus)}"
    return _found(
        f"the control group allows {now.quota:g}{of} CPUs on average, and stops all threads at once when they have been used up",
        f"no more than {max(1, int(now.quota))} busy workers, or a larger quota",
    )


def _memory_limit(now: Conditions) -> _Outcome:
    if not now.linux:
        return _unknown("whether memory is limited is looked for in control groups, which only Linux has")
    most, host = now.limits.memory_bytes, now.limits.host_memory_bytes
    if most is None or (host is not None and most >= host):
        return _fine("memory is limited by that of the host only")
    return _found(
        f"the control group allows {_gb(most)} of memory, with the page cache of the images in it",
        "images that fit into it beside the trial, or a larger limit",
    )


def _memory_pressure(now: Conditions) -> _Outcome:
    if now.pressure_memory_pct is None:
        return _unknown("the system does not say whether tasks wait for memory (PSI)")
    if now.pressure_memory_pct < MEMORY_PRESSURE_PCT:
        return _fine("no task waits for memory")
    return _found(
        f"in {now.pressure_memory_pct:.0f} % of the last 10 s some task waited for memory", "end what needs the memory"
    )


def _io_pressure(now: Conditions) -> _Outcome:
    if now.pressure_io_pct is None:
        return _unknown("the system does not say whether tasks wait for storage (PSI)")
    if now.pressure_io_pct < IO_PRESSURE_PCT:
        return _fine("hardly a task waits for storage")
    return _found(
        f"in {now.pressure_io_pct:.0f} % of the last 10 s some task waited for storage", "end what else reads and writes"
    )


def _swap(now: Conditions) -> _Outcome:
    if now.swap_used_bytes is None:
        return _unknown("the system does not say how much memory has been moved to storage (swap)")
    if now.swap_used_bytes < SWAP_USED_BYTES:
        return _fine("memory is not swapped out")
    return _found(
        f"{_gb(now.swap_used_bytes)} of memory have been moved to storage (swap): a page that comes back takes milliseconds",
        "end what needs the memory; sudo swapoff -a brings all back, if there is room",
    )


def _page_cache(now: Conditions) -> _Outcome:
    remote = {folder: kind for folder, kind in now.file_systems.items() if kind in NETWORK_FILE_SYSTEMS}
    if remote:
        where = ", ".join(f"{folder} ({kind})" for folder, kind in remote.items())
        return _found(
            f"on a network disk: {where}; its server's cache and its other users are in the time of each read",
            "a copy of the images on a disk of this machine; or source.cache=warm, which leaves the disk out",
        )
    unknown = [folder for folder, kind in now.file_systems.items() if kind is None]
    if unknown:
        return _unknown(f"the system does not say what kind of disk has {', '.join(unknown)}")
    return _fine("no folder is on a network disk")


def _open_files(now: Conditions) -> _Outcome:
    if not now.linux and now.limits.open_files is None:
        return _unknown("the system does not say how many files a process may open")
    if now.limits.open_files is None or now.limits.open_files >= FEW_FILES:
        return _fine("a process may open files enough")
    return _found(f"a process may open {now.limits.open_files} files (RLIMIT_NOFILE)", f"ulimit -n {FEW_FILES * 4}")


def _tasks(now: Conditions) -> _Outcome:
    limits = now.limits
    if not now.linux and limits.tasks is None:
        return _unknown("the system does not say how many processes and threads there may be")
    if limits.tasks is None or limits.tasks >= FEW_TASKS:
        return _fine("there may be processes and threads enough")
    how = "ulimit -u" if limits.tasks_name == "RLIMIT_NPROC" else "a higher pids.max of the control group"
    return _found(f"{limits.tasks_name}={limits.tasks_most} leaves room for {limits.tasks} processes and threads", how)


def _address_space(now: Conditions) -> _Outcome:
    if not now.linux and now.limits.address_space_bytes is None:
        return _unknown("the system does not say whether a process's address space is limited")
    if now.limits.address_space_bytes is None:
        return _fine("the address space of a process is not limited")
    return _found(
        f"a process may have {_gb(now.limits.address_space_bytes)} of address space (RLIMIT_AS), of which libraries reserve more than they use",
        "ulimit -v unlimited",
    )


def _shared_memory(now: Conditions) -> _Outcome:
    if now.shared_memory_bytes is None:
        return _unknown("there is no /dev/shm") if now.linux else _fine("this system shares memory without /dev/shm")
    if now.shared_memory_bytes >= SMALL_SHARED_MEMORY_BYTES:
        return _fine("the room in /dev/shm is large enough")
    return _found(
        f"there are {now.shared_memory_bytes / 1e6:.0f} MB in /dev/shm, and what shares memory by files there fails or goes to disk",
        "docker run --shm-size=8g, or --ipc=host",
    )


def _counters(now: Conditions) -> _Outcome:
    if now.missing_counters is None:
        return _unknown("counters are looked for in /proc, which only Linux has")
    if not now.missing_counters:
        return _fine("the kernel has all counters that are read")
    lacking = "; ".join(f"{name} ({COUNTERS[name][1]})" for name in now.missing_counters)
    return _found(
        f"the kernel does not have, or does not show: {lacking}",
        "a newer kernel, with psi=1 among its parameters for the first",
    )


def _battery(now: Conditions) -> _Outcome:
    if now.on_battery is None:
        return _unknown("the system does not say whether it runs on a battery")
    if not now.on_battery:
        return _fine("the machine does not run on a battery")
    return _found("the machine runs on its battery, and saves power as it thinks best", "plug it in")


def _heat(now: Conditions) -> _Outcome:
    if now.slowed_for_heat is None:
        return _unknown("the system does not say whether CPUs have been slowed for their temperature")
    if not now.slowed_for_heat:
        return _fine("no CPU has been slowed for its temperature since the system started")
    return _found(
        f"CPUs have been slowed for their temperature {now.slowed_for_heat} times since the system started",
        "better cooling; pauses between trials, which more rounds are not",
    )


def _other_load(load: HostLoad) -> _Outcome:
    used = load["other_cpu_pct"]
    if used is None:
        return _unknown("the system does not say what other programs use of the CPUs")
    if used < OTHER_LOAD_PCT:
        return _fine(f"other programs use {used:.0f} % of the CPUs")
    return _found(f"other programs use {used:.0f} % of the host's CPUs", "end what else runs")


def _steal(load: HostLoad) -> _Outcome:
    stolen = load["stolen_pct"]
    if stolen is None:
        return _unknown("the system does not say what neighbours on the same hardware take of the CPUs (steal)")
    if stolen < STOLEN_PCT:
        return _fine(f"{stolen:.0f} % of the CPUs' time is stolen by neighbours on the same hardware")
    return _found(
        f"{stolen:.0f} % of the CPUs' time is stolen by neighbours on the same hardware",
        "a machine of your own, another hour, or more rounds",
    )


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


_CHECKS: Mapping[str, Callable[[Conditions], _Outcome]] = {
    "governor": _governor,
    "turbo": _turbo,
    "smt": _smt,
    "numa": _numa,
    "quota": _quota,
    "memory_limit": _memory_limit,
    "memory_pressure": _memory_pressure,
    "io_pressure": _io_pressure,
    "swap": _swap,
    "page_cache": _page_cache,
    "open_files": _open_files,
    "tasks": _tasks,
    "address_space": _address_space,
    "shared_memory": _shared_memory,
    "counters": _counters,
    "battery": _battery,
    "heat": _heat,
}
