"""What a fork server imports before it forks, with no op of TensorFlow run.

Once an op has run, TensorFlow's runtime has threads, and a process forked after that hangs in its first op. BLAS is loaded with one
thread for the same reason; the trial raises that again where it is asked to.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
from collections.abc import Iterator, Sequence
from importlib import import_module
from time import perf_counter

from runner.config.registry import options
from runner.host.mapped_files import write_back_mapped_files
from runner.modes.workers.runtime import VARIABLES

# Seconds that the imports took, paid once by the fork server and not by the trials; None in a process without a fork server.
import_s: float | None = None

# The user's own settings, to be put back where TensorFlow is left to choose.
users_environment = {name: os.environ.get(name) for name in VARIABLES}


def preload(modules: Sequence[str] = ()) -> None:
    """Import what every trial needs, and ``modules``, in this process, which is a fork server."""
    global import_s  # noqa: PLW0603
    # Ctrl-C reaches every process of the terminal; the conductor decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began = perf_counter()
    with _one_blas_thread(), _silence():
        for module in (*modules, "threadpoolctl", "numpy", "runner.trial.main"):
            import_module(module)
        for group in ("mode", "sink"):
            for option in options()[group].values():
                import_module(option.module())
    import_s = perf_counter() - began
    write_back_mapped_files()  # or the memory of the first trials after an installation would come out too small
    # Every trial inherits the objects that exist now. Frozen, the garbage collector does not touch them, and their pages stay shared.
    gc.collect()
    gc.freeze()


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
    """TensorFlow's C++ code writes a greeting to stderr, past Python; it would show up in the user's terminal."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
