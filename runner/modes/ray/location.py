"""Where a worker is."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Location:
    """Where a process is.

    Attributes:
        node: Ray's id of its node.
        host: the same word for processes that share a clock, files and pids.
        hostname: the name of its host.
        pid: its number on its host.
    """

    node: str
    host: str
    hostname: str
    pid: int

    @classmethod
    def this_process(cls, node: str) -> Location:
        """Of the calling process, on this node."""
        return cls(node, this_host(), socket.gethostname(), os.getpid())

    @property
    def remote(self) -> bool:
        """Whether it is on another host than the calling process."""
        return self.host != this_host()


def this_host() -> str:
    """A word that is the same in processes that share a clock, and differs in all others as far as can be known."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    try:
        booted = boot.read_text().strip()
    except OSError:
        booted = platform.platform()
    return f"{socket.gethostname()} {booted}"
