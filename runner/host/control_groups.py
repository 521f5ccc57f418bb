"""What the control groups of this process allow it (CPU, memory, processes), and how often they stopped it. None is what the system does not provide."""

from __future__ import annotations

import contextlib
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")

# A group of version 1 without a limit has one of nearly 2**63 bytes.
_NO_LIMIT_BYTES = 1 << 60


def cpu_quota(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> float | None:
    """How many CPUs may be used on average: the smallest quota among this process's group and the groups around it; None without a quota."""
    quotas = [quota for folder in _folders(root, membership) if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def throttling(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> tuple[float, int] | None:
    """For how many seconds (summed over CPUs), and in how many periods, a quota stopped this process's group.

    If a group around it was stopped for longer, the figures are that group's. None where no group says.
    """
    stopped_s = [stopped for folder in _folders(root, membership) if (stopped := _throttled(folder)) is not None]
    return max(stopped_s, default=None)


def memory_limit_bytes(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """How much memory may be used: the smallest limit among this process's group and the groups around it; None without a limit."""
    folders = _folders(root, membership, "memory")
    limits = [_number(folder / name) for folder in folders for name in ("memory.max", "memory.limit_in_bytes")]
    return min((limit for limit in limits if limit is not None and limit < _NO_LIMIT_BYTES), default=None)


def oom_kills(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> int | None:
    """How many processes of this process's group were killed, since it was made, because there was no memory left for them."""
    for folder in _folders(root, membership, "memory"):
        for name in ("memory.events", "memory.oom_control"):
            with contextlib.suppress(OSError, ValueError):
                lines = dict(line.split(maxsplit=1) for line in (folder / name).read_text().splitlines())
                if "oom_kill" in lines:
                    return int(lines["oom_kill"])
    return None


def pids_limit(root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> tuple[int, int] | None:
    """How many processes and threads the group may have that has room for the fewest, and how many it has; None without a limit."""
    groups = [(_number(folder / "pids.max"), _number(folder / "pids.current")) for folder in _folders(root, membership, "pids")]
    limited = [(most, now) for most, now in groups if most is not None and now is not None]
    return min(limited, key=lambda one: one[0] - one[1], default=None)


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, as in a file that says ``max``."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _folders(root: Path, membership: Path, controller: str = "cpu") -> list[Path]:
    """The folders of the process's own group, then of those around it. Some may not exist, because a container sees the names of its host."""
    try:
        lines = [line.split(":", 2) for line in membership.read_text().splitlines()]
    except OSError:
        lines = []
    folders = []
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        for top in (root / controller, root / controllers) if controllers else (root,):
            own = top / path.lstrip("/")
            folders += [own, *(around for around in own.parents if around.is_relative_to(top))]
    return list(dict.fromkeys([*folders, root, root / controller]))


def _quota(folder: Path) -> float | None:
    try:  # version 2: "max 100000" or "150000 100000"
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        microseconds = int((folder / "cpu.cfs_quota_us").read_text())
        return None if microseconds <= 0 else microseconds / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return None


def _throttled(folder: Path) -> tuple[float, int] | None:
    try:
        lines = dict(line.split(maxsplit=1) for line in (folder / "cpu.stat").read_text().splitlines())
        if "throttled_usec" in lines:
            return int(lines["throttled_usec"]) * 1e-6, int(lines.get("nr_throttled", 0))
        if "throttled_time" in lines:
            return int(lines["throttled_time"]) * 1e-9, int(lines.get("nr_throttled", 0))
    except (OSError, ValueError):
        pass
    return None
