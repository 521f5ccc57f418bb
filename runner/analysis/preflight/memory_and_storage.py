"""Memory, swap, and where images lie."""

from __future__ import annotations

from runner.analysis.preflight.outcome import Outcome, fine, found, unknown
from runner.analysis.warnings.machine import MEMORY_PRESSURE_PCT
from runner.host.conditions import Conditions
from runner.record.sizes import gigabytes

# Less room in /dev/shm than this is little for runs of usual size.
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


def memory_limit(now: Conditions) -> Outcome:
    """Whether a control group limits memory."""
    if not now.linux:
        return unknown("whether memory is limited is looked for in control groups, which only Linux has")
    most, host = now.limits.memory_bytes, now.limits.host_memory_bytes
    if most is None or (host is not None and most >= host):
        return fine("memory is limited by that of the host only")
    return found(
        f"the control group allows {gigabytes(most)} of memory, with the page cache of the images in it",
        "images that fit into it beside the trial, or a larger limit",
    )


def memory_pressure(now: Conditions) -> Outcome:
    """Whether tasks wait for memory."""
    if now.pressure_memory_pct is None:
        return unknown("the system does not say whether tasks wait for memory (PSI)")
    if now.pressure_memory_pct < MEMORY_PRESSURE_PCT:
        return fine("no task waits for memory")
    return found(
        f"in {now.pressure_memory_pct:.0f} % of the last 10 s some task waited for memory", "end what needs the memory"
    )


def io_pressure(now: Conditions) -> Outcome:
    """Whether tasks wait for storage."""
    if now.pressure_io_pct is None:
        return unknown("the system does not say whether tasks wait for storage (PSI)")
    if now.pressure_io_pct < IO_PRESSURE_PCT:
        return fine("hardly a task waits for storage")
    return found(
        f"in {now.pressure_io_pct:.0f} % of the last 10 s some task waited for storage", "end what else reads and writes"
    )


def swap(now: Conditions) -> Outcome:
    """Whether memory has been moved to storage."""
    if now.swap_used_bytes is None:
        return unknown("the system does not say how much memory has been moved to storage (swap)")
    if now.swap_used_bytes < SWAP_USED_BYTES:
        return fine("memory is not swapped out")
    return found(
        f"{gigabytes(now.swap_used_bytes)} of memory have been moved to storage (swap): a page that comes back takes milliseconds",
        "end what needs the memory; sudo swapoff -a brings all back, if there is room",
    )


def page_cache(now: Conditions) -> Outcome:
    """Whether images lie on another machine."""
    remote = {folder: kind for folder, kind in now.file_systems.items() if kind in NETWORK_FILE_SYSTEMS}
    if remote:
        where = ", ".join(f"{folder} ({kind})" for folder, kind in remote.items())
        return found(
            f"on a network disk: {where}; its server's cache and its other users are in the time of each read",
            "a copy of the images on a disk of this machine; or source.cache=warm, which leaves the disk out",
        )
    of_unknown_kind = [folder for folder, kind in now.file_systems.items() if kind is None]
    if of_unknown_kind:
        return unknown(f"the system does not say what kind of disk has {', '.join(of_unknown_kind)}")
    return fine("no folder is on a network disk")


def shared_memory(now: Conditions) -> Outcome:
    """Whether there is room in /dev/shm."""
    if now.shared_memory_bytes is None:
        return unknown("there is no /dev/shm") if now.linux else fine("this system shares memory without /dev/shm")
    if now.shared_memory_bytes >= SMALL_SHARED_MEMORY_BYTES:
        return fine("the room in /dev/shm is large enough")
    return found(
        f"there are {now.shared_memory_bytes / 1e6:.0f} MB in /dev/shm, and what shares memory by files there fails or goes to disk",
        "docker run --shm-size=8g, or --ipc=host",
    )
