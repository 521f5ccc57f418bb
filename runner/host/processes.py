"""Ends processes with all that they have started: by group and session, or by their tree where the system has no groups.

A trial leads a session and a group. Its workers belong to both, even after their parent has ended. Some make groups of their own, as
Ray's workers do, but stay in the session.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic, sleep

import psutil

log = logging.getLogger(__name__)

# How long processes may take to end by themselves after SIGTERM, and how long the system may take to remove them after SIGKILL.
GRACE_S = 0.3
REMOVAL_S = 5.0

# How worker processes are started where the user leaves that open. macOS can fork, but its system libraries do not survive it.
AUTOMATIC_START_METHOD = "fork" if sys.platform == "linux" else "spawn"


def end_tree(pid: int, grace_s: float) -> None:
    """End a process and all below it: by SIGTERM, and those that are there after ``grace_s`` seconds by SIGKILL."""
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        tree = [top, *top.children(recursive=True)]
        for process in tree:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(tree, grace_s)[1]:
            with contextlib.suppress(psutil.Error):
                process.kill()


def started_by(pid: int) -> list[int]:
    """All processes below one. Linux lists them by thread, which takes a fraction of the time of a search of all the system's processes."""
    try:
        if Path(f"/proc/{pid}/task/{pid}/children").exists():
            return _listed_below(pid)
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except (psutil.Error, OSError):
        return []


def _listed_below(pid: int) -> list[int]:
    below: list[int] = []
    with contextlib.suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                below += map(int, (thread / "children").read_text(encoding="ascii").split())
    return below + [further for child in tuple(below) for further in _listed_below(child)]


if sys.platform == "win32":

    def lead_session() -> None:
        """Do nothing: this system has no sessions."""

    def kill_own_group() -> None:
        """Do nothing: this system has no groups."""

    def kill_group(process: BaseProcess) -> None:
        """Kill the process; it has no group."""
        process.kill()

    def kill_pid(pid: int) -> None:
        """Kill a process, if it is still there."""
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).kill()

    def end(process: BaseProcess) -> None:
        """Kill the process and its tree. Workers whose trial has already ended will end by themselves."""
        if process.is_alive() and process.pid is not None:
            with contextlib.suppress(psutil.Error):
                tree = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                for child in tree:
                    kill_pid(child.pid)
        process.join()

else:

    def lead_session() -> None:
        """Give this process its own session and group, so that all can be ended together and Ctrl-C in the terminal does not reach it."""
        os.setsid()

    def kill_own_group() -> None:
        """Kill this process and all that it has started."""
        os.killpg(os.getpgid(0), signal.SIGKILL)

    def kill_group(process: BaseProcess) -> None:
        """Kill the process and its group."""
        if process.pid is not None:
            _signal(process.pid, signal.SIGKILL)

    def kill_pid(pid: int) -> None:
        """Kill a process, if it is still there."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def end(process: BaseProcess) -> None:
        """End every process of its session, whether the process itself has ended, hangs, or has been killed."""
        pid = process.pid
        if pid is None:
            return
        if process.is_alive():
            _signal(pid, signal.SIGTERM)
            _signal(pid, signal.SIGCONT)  # a stopped process handles SIGTERM only after this
            process.join(GRACE_S)
        group_killed = _signal(pid, signal.SIGKILL)
        if _kill_session(pid) or group_killed:
            _await_removal(pid)
        process.join()

    def _signal(pid: int, number: int) -> bool:
        """Send a signal to the group that ``pid`` leads, or to ``pid`` alone if it has not made its group yet; returns whether there is a group."""
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # A process of another session is a stranger that has got the same number since.
                if os.getsid(pid) == os.getsid(0):
                    os.kill(pid, number)
            return False
        return True

    def _kill_session(session: int) -> bool:
        """Kill every process of a session; returns whether there was one."""
        members = [pid for pid in _all_pids() if _session_of(pid) == session]
        for pid in members:
            kill_pid(pid)
        return bool(members)

    def _all_pids() -> list[int]:
        try:
            return psutil.pids()
        except (psutil.Error, OSError):  # where processes cannot be listed
            return []

    def _session_of(pid: int) -> int | None:
        try:
            return os.getsid(pid)
        except (ProcessLookupError, PermissionError):
            return None

    def _await_removal(group: int) -> None:
        """Wait until the killed group is gone; zombies count as gone."""
        limit = monotonic() + REMOVAL_S
        while alive := _living(group):
            if monotonic() >= limit:
                log.warning("processes of an ended trial are still there: %s", ", ".join(map(str, alive)))
                return
            sleep(0.01)

    def _living(group: int) -> list[int]:
        """The processes of the group, and of the session with the same number, that are not zombies.

        Where processes cannot be listed, the group's number stands for them as long as the group has a process.
        """
        with contextlib.suppress(psutil.Error, OSError):
            return [process.pid for process in psutil.process_iter(["pid", "status"]) if _in_group(process, group)]
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [group]

    def _in_group(process: psutil.Process, group: int) -> bool:
        try:
            return process.info["status"] != psutil.STATUS_ZOMBIE and group in {os.getpgid(process.pid), os.getsid(process.pid)}
        except (ProcessLookupError, PermissionError):
            return False
