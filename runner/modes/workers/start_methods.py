"""How worker processes come to be: the start method by its name, and the fork server of a trial that has one of its own."""

from __future__ import annotations

from multiprocessing.context import BaseContext

from runner.config.options import StartMethod
from runner.host.processes import AUTOMATIC_START_METHOD

# What a fork server, where one is asked for, has imported before it forks.
_PRELOAD_TENSORFLOW = "runner.trial.preload_tensorflow"
_PRELOAD_LIGHT = "runner.trial.preload_light"


def start_method(chosen: StartMethod) -> str:
    """The start method by ``multiprocessing``'s name; ``auto`` is ``fork`` on Linux and ``spawn`` elsewhere."""
    return AUTOMATIC_START_METHOD if chosen is StartMethod.auto else str(chosen.value)


def preload_fork_server(context: BaseContext, *, tensorflow: bool) -> None:
    """Have the fork server of this process import what workers need, before it is started."""
    context.set_forkserver_preload([_PRELOAD_TENSORFLOW if tensorflow else _PRELOAD_LIGHT])


def end_fork_server() -> None:
    """End the fork server of this process. It has reaped the workers; once it is reaped itself, their CPU seconds are ours to read.

    There is no public way to end it. Where this one is missing, it ends with the trial.
    """
    from multiprocessing import forkserver

    if (end := getattr(forkserver._forkserver, "_stop", None)) is not None:  # noqa: SLF001
        end()
