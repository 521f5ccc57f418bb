"""What a fork server imports before it forks, with no op of TensorFlow run.

Once an op has run, TensorFlow's runtime has threads, and a process that is forked afterwards hangs in its first op. For the same reason
BLAS is loaded with one thread; the trial gives it more if it is asked to.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from time import perf_counter
from types import TracebackType

import psutil

from runner.config.registry import options
from runner.host.mapped_files import write_back_mapped_files
from runner.modes.workers.runtime import VARIABLES

# Seconds that the fork server's imports took; None in a process that does not come from a fork server.
import_s: float | None = None

# The user's own settings, which are restored if TensorFlow may choose its threads.
users_environment = {name: os.environ.get(name) for name in VARIABLES}


def preload(modules: Sequence[str] = ()) -> None:
    """Import ``modules`` and what every trial needs in this process, which is a fork server."""
    global import_s  # noqa: PLW0603
    # Ctrl-C reaches every process of the terminal, but only the conductor reacts to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(_remove_sockets, os.getppid(), _sockets())
    _keep_quiet(os.getpid())
    began = perf_counter()
    with _one_blas_thread(), _silence():
        with contextlib.suppress(ImportError):  # another interpreter may lack it
            import_module("threadpoolctl")
        for module in (*modules, "numpy", "runner.trial.main"):
            import_module(module)
        for module in _light_options():
            # An option of the user's own that cannot be imported fails in its trial, and in no other.
            with contextlib.suppress(Exception):
                import_module(module)
    import_s = perf_counter() - began
    write_back_mapped_files()  # otherwise the memory of the first trials after an installation would be measured too small
    # Every trial inherits the objects of now. The garbage collector does not touch frozen ones, so their pages stay shared.
    gc.collect()
    gc.freeze()


def _light_options() -> Iterator[str]:
    """The modules of modes and sinks, but for modes that import a large library, which only their own trials need."""
    for group in ("mode", "sink"):
        for option in options()[group].values():
            if not getattr(option, "imports_library", False):
                yield option.module()


def _keep_quiet(server: int) -> None:
    """Print no traceback where this server itself fails: the conductor notices that it has ended, and says so."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if os.getpid() != server:
            sys.__excepthook__(kind, error, trace)

    sys.excepthook = hook


def _remove_sockets(conductor: int, sockets: Sequence[Path]) -> None:
    """Remove this server's socket, where the conductor, which would do so at its end, has been killed.

    Their folder goes with the last of them: a conductor that is a worker of another program shares it with that program.
    """
    if _is_gone(conductor):
        for path in sockets:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in sockets}:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _sockets() -> list[Path]:
    """The sockets of this process for which ``multiprocessing`` has made a folder."""
    with contextlib.suppress(psutil.Error, OSError, AttributeError):
        paths = {Path(str(socket.laddr)) for socket in psutil.Process().net_connections("unix")}
        return [path for path in paths if path.parent.name.startswith("pymp-")]
    return []


def _is_gone(process: int) -> bool:
    """Whether a process has ended, or is about to: its command line goes before its files are closed."""
    try:
        return os.getppid() != process or not psutil.Process(process).cmdline()
    except psutil.Error:
        return True


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in users_environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Discard stderr, because TensorFlow's C++ code greets there, past Python, and so in the user's terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
