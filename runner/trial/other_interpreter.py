"""Has ``multiprocessing`` start a process by another interpreter than this one, with that interpreter's own path."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from multiprocessing import spawn
from typing import Any

from runner.host.interpreters import variables

# What a fork server is told about this process, as another interpreter need not understand it.
_OF_SERVER = "ignore"


@contextlib.contextmanager
def started_by(python: str | None) -> Iterator[None]:
    """Have processes that are started meanwhile be of the interpreter whose executable is ``python``; None for this one.

    Both sides speak by pickles of protocol 4, which every Python that this program runs on reads. One thread at a time.
    """
    if python is None:
        yield
        return
    if sys.platform != "win32":
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # it serves this program, and is not to be of another interpreter
    module: Any = spawn
    executable, preparation = spawn.get_executable(), spawn.get_preparation_data

    def without_path(name: str) -> dict[str, Any]:
        """What the process is told, but for the path of this one."""
        told = {} if name == _OF_SERVER else preparation(name)
        return {key: value for key, value in told.items() if key != "sys_path"}

    with _environment(variables()):
        module.set_executable(python)
        module.get_preparation_data = without_path
        try:
            yield
        finally:
            module.get_preparation_data = preparation
            module.set_executable(executable)


@contextlib.contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(before)


def _set(variables_: Mapping[str, str | None]) -> None:
    for name, value in variables_.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
