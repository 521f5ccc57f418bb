"""What a run ran on: recorded with its numbers, because they hold for this environment."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from runner import __version__
from runner.host.affinity import allowed_cpus
from runner.host.conditions import MachineFinding
from runner.host.control_groups import cpu_quota, memory_limit_bytes
from runner.host.git import GitState, git_state
from runner.host.gpu import Gpus
from runner.host.interpreter_facts import python_facts
from runner.host.limits import host_memory_bytes
from runner.secrets import masked_data
from runner.secrets.names import RECORDED_VARIABLES

# Keys that change no result.
_INCIDENTAL = ("user", "folder", "findings", "interpreter")

# What is told where it differs, and makes figures of two sessions no less comparable by itself.
_TOLD_ONLY = re.compile(r"git.*|memory_bytes|packages (mlflow|hydra-core|omegaconf)|variables.*", re.DOTALL)


class Environment(TypedDict):
    """What a run ran on. None is what the system does not provide. ``memory_bytes`` is the host's, the limit that of the control groups.

    With ``python=``, Python and packages are those of that ``interpreter``; with ``code=``, ``git`` is the commit whose code ran.

    ``findings`` is what might have spoiled the measurement, or could not be read, before its first trial; the load during each trial is in its ``host``.
    """

    runner: str
    python: str
    python_implementation: str
    python_build: str
    free_threaded_build: bool
    gil: bool
    os: str
    host: str
    user: str | None
    folder: str
    cpu: str
    cpus: int | None
    cpus_usable: float
    cpu_quota: float | None
    memory_bytes: int | None
    memory_limit_bytes: NotRequired[int | None]
    gpus: list[str]
    gpu_driver: str | None
    packages: dict[str, str]
    git: GitState | None
    variables: dict[str, str]
    interpreter: NotRequired[str]
    findings: NotRequired[list[MachineFinding]]


class Difference(TypedDict):
    """Something that differs now from what it was then; None where it is missing."""

    what: str
    then: Any
    now: Any


@cache
def environment() -> Environment:
    """The environment as plain data. It is read once, because all points of a sweep share it."""
    gpus, python = Gpus(), python_facts()
    return {
        "runner": __version__,
        "python": python["python"],
        "python_implementation": python["python_implementation"],
        "python_build": python["python_build"],
        "free_threaded_build": python["free_threaded_build"],
        "gil": python["gil"],
        "os": platform.platform(),
        "host": socket.gethostname(),
        "user": _user(),
        "folder": str(Path.cwd()),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_usable": usable_cpus(),
        "cpu_quota": cpu_quota(),
        "memory_bytes": host_memory_bytes(),
        "memory_limit_bytes": memory_limit_bytes(),
        "gpus": [device.name for device in gpus.devices],
        "gpu_driver": gpus.driver,
        "packages": python["packages"],
        "git": git_state(Path.cwd()),
        "variables": masked_data({name: value for name, value in sorted(os.environ.items()) if name in RECORDED_VARIABLES}),
    }


def differences(then: Environment, now: Environment) -> list[Difference]:
    """What differs between two environments, apart from the user, the folder and the findings."""
    changed: list[Difference] = []
    flat = [_flat(side) for side in (then, now)]
    for what in dict.fromkeys([*flat[0], *flat[1]]):
        sides = [side.get(what) for side in flat]
        if sides[0] != sides[1] and what not in _INCIDENTAL:
            changed.append({"what": what, "then": sides[0], "now": sides[1]})
    return changed


def matters(one: Difference) -> bool:
    """Whether figures from before and after this difference are not comparable because of it."""
    return _TOLD_ONLY.fullmatch(one["what"]) is None


def _flat(environment: Environment) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in environment.items():
        flat |= {f"{key} {name}": inside for name, inside in value.items()} if isinstance(value, Mapping) else {key: value}
    return flat


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a user without a name, as in some containers
        return None


def usable_cpus(affinity: int | None = None) -> float:
    """How many CPUs may be used: ``affinity`` (by default this process's own), or the quota of its control groups if that is less."""
    allowed = float(affinity or len(allowed_cpus() or ()) or os.cpu_count() or 1)
    quota = cpu_quota()
    return allowed if quota is None else min(allowed, quota)


def cpu_model() -> str:
    """The name of the CPU, as the system has it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
