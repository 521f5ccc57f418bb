"""What of this machine may spoil a measurement, as the system says it: read only, and judged elsewhere.

Everything is read below one folder, ``/`` on a real machine, so that a test can make up a machine. Sources: Documentation/admin-guide/pm,
Documentation/accounting/psi.rst and Documentation/ABI/testing of the kernel, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import re
import shutil
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

import psutil

from runner.host.affinity import allowed_cpus
from runner.host.control_groups import cpu_quota
from runner.host.limits import Limits

# Counters of the kernel, each with the file that has it and what is unknown without it.
COUNTERS: Mapping[str, tuple[str, str]] = {
    "pressure stall information": ("proc/pressure/memory", "waiting for CPU, memory and storage"),
    "smaps_rollup": ("proc/self/smaps_rollup", "memory with every shared page counted once"),
    "schedstat": ("proc/self/schedstat", "how long threads were ready and had no CPU"),
    "io": ("proc/self/io", "bytes read and written"),
}


class MachineFinding(TypedDict):
    """Something about the machine that may spoil a measurement; ``unknown`` is what could not be read.

    ``handling`` is what the program does about it, ``advice`` what its user can do.
    """

    kind: str
    state: Literal["found", "unknown", "fine"]
    message: str
    handling: str
    advice: str


@dataclass(frozen=True)
class Conditions:
    """The conditions at one moment. None is what the system does not say.

    Attributes:
        linux: whether it is a system with control groups, ``/proc`` and ``/sys``.
        cpus: those that this process may use.
        cores, nodes: the same CPUs by physical core, and by NUMA node.
        governors: of the frequency of these CPUs, each once.
        turbo: whether the CPUs may run above their nominal frequency.
        slowed_for_heat: how often CPUs have been slowed for their temperature since the system started.
        on_battery: whether the machine runs on a battery; False where it has none.
        quota: of the control groups, in CPUs; None is no quota, too.
        pressure_memory_pct, pressure_io_pct: of the last ten seconds, in which some task waited for it.
        swap_used_bytes: of memory that has been moved to storage.
        file_systems: the type of the file system of each folder that was asked about.
        shared_memory_bytes: the size of ``/dev/shm``.
        missing_counters: those of ``COUNTERS`` that the kernel does not have.
        limits: of memory, processes, threads and open files.
    """

    linux: bool
    cpus: tuple[int, ...] | None
    cores: tuple[tuple[int, ...], ...] | None
    nodes: tuple[tuple[int, ...], ...] | None
    governors: tuple[str, ...] | None
    turbo: bool | None
    slowed_for_heat: int | None
    on_battery: bool | None
    quota: float | None
    pressure_memory_pct: float | None
    pressure_io_pct: float | None
    swap_used_bytes: int | None
    file_systems: Mapping[str, str | None]
    shared_memory_bytes: int | None
    missing_counters: tuple[str, ...] | None
    limits: Limits

    @classmethod
    def now(
        cls,
        folders: Iterable[Path] = (),
        *,
        limits: Limits | None = None,
        root: Path = Path("/"),
        cpus: tuple[int, ...] | None = None,
        linux: bool = sys.platform == "linux",
    ) -> Conditions:
        """Read them; it takes some milliseconds, so it must not run while anything is timed.

        Args:
            folders: whose file systems matter.
            limits: read already.
            root: the folder that holds ``proc``, ``sys`` and ``dev``.
            cpus: as if this process could use these.
            linux: as if this were such a system.
        """
        usable = cpus or allowed_cpus()
        system = root / "sys/devices/system"
        mounted = _mounted(root)
        return cls(
            linux=linux,
            cpus=usable,
            cores=_cores(system / "cpu", usable or ()),
            nodes=_nodes(system / "node", usable or ()),
            governors=_governors(system / "cpu", usable or ()),
            turbo=_turbo(system / "cpu"),
            slowed_for_heat=_sum_of(system.glob("cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")),
            on_battery=_on_battery(root / "sys/class/power_supply") if linux else _on_battery_elsewhere(),
            quota=cpu_quota(root / "sys/fs/cgroup", root / "proc/self/cgroup"),
            pressure_memory_pct=_pressure_pct(root, "memory"),
            pressure_io_pct=_pressure_pct(root, "io"),
            swap_used_bytes=_swap_used_bytes(root / "proc/meminfo") if linux else _swap_used_bytes_elsewhere(),
            file_systems={str(folder): _file_system(folder, mounted) for folder in folders},
            shared_memory_bytes=_size_bytes(root / "dev/shm"),
            missing_counters=tuple(name for name, (file, _) in COUNTERS.items() if not _text(root / file)) if linux else None,
            limits=limits or Limits.now(),
        )


def _text(path: Path) -> str | None:
    """What a file says; None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


def _cores(folder: Path, cpus: Sequence[int]) -> tuple[tuple[int, ...], ...] | None:
    by_core: dict[Hashable, list[int]] = defaultdict(list)
    for cpu in cpus:
        names = ("physical_package_id", "die_id", "core_id")
        *socket, core = [_text(folder / f"cpu{cpu}/topology/{name}") for name in names]
        if core is None:
            return None
        by_core[(*socket, core)].append(cpu)
    return tuple(map(tuple, by_core.values())) or None


def _nodes(folder: Path, cpus: Sequence[int]) -> tuple[tuple[int, ...], ...] | None:
    nodes = [tuple(cpu for cpu in cpus if (node / f"cpu{cpu}").exists()) for node in sorted(folder.glob("node[0-9]*"))]
    return tuple(sorted(node for node in nodes if node)) or None


def _governors(folder: Path, cpus: Sequence[int]) -> tuple[str, ...] | None:
    named = {_text(folder / f"cpu{cpu}/cpufreq/scaling_governor") for cpu in cpus} - {None}
    return tuple(sorted(filter(None, named))) or None


def _turbo(folder: Path) -> bool | None:
    if (off := _text(folder / "intel_pstate/no_turbo")) is not None:
        return off == "0"
    boost = _text(folder / "cpufreq/boost")
    return None if boost is None else boost == "1"


def _sum_of(files: Iterable[Path]) -> int | None:
    counts = [int(text) for file in files if (text := _text(file)) and text.isdecimal()]
    return sum(counts) if counts else None


def _on_battery(folder: Path) -> bool | None:
    """By the machine's own batteries; those of a mouse or a keyboard say that they are of a device."""
    try:
        supplies = list(folder.iterdir())
    except OSError:
        return None
    batteries = [one for one in supplies if _text(one / "type") == "Battery" and _text(one / "scope") != "Device"]
    return any(_text(one / "status") == "Discharging" for one in batteries)


def _on_battery_elsewhere() -> bool | None:
    try:
        battery = psutil.sensors_battery()
    except (psutil.Error, OSError, AttributeError, NotImplementedError):
        return None
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


def _pressure_pct(root: Path, what: str) -> float | None:
    found = re.match(r"some avg10=([\d.]+)", _text(root / "proc/pressure" / what) or "")
    return None if found is None else float(found[1])


def _swap_used_bytes(meminfo: Path) -> int | None:
    sizes = {name: int(kb) * 1024 for name, kb in re.findall(r"^(\w+):\s+(\d+) kB$", _text(meminfo) or "", re.MULTILINE)}
    if "SwapTotal" not in sizes or "SwapFree" not in sizes:
        return None
    return sizes["SwapTotal"] - sizes["SwapFree"]


def _swap_used_bytes_elsewhere() -> int | None:
    try:
        return int(psutil.swap_memory().used)
    except (psutil.Error, OSError):
        return None


def _size_bytes(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).total
    except OSError:
        return None


def _mounted(root: Path) -> dict[Path, str]:
    """The type of the file system that is mounted at each place; what is mounted later hides what was there."""
    mounts = {}
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) > 4 and kind:
            mounts[Path(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4]))] = kind[0]
    return mounts


def _file_system(folder: Path, mounted: Mapping[Path, str]) -> str | None:
    at = folder.absolute().resolve()
    return next((mounted[place] for place in (at, *at.parents) if place in mounted), None)
