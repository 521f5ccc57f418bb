"""Fork servers: each has imported what its trials need, so that a fresh process costs no more than a fork.

``multiprocessing`` has one server for a program, and its imports are fixed once it runs. A sweep may need two: a trial without TensorFlow
that comes from a server with TensorFlow would start seconds later, and its memory would contain TensorFlow's pages.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from time import monotonic, sleep
from typing import Any

import psutil

from runner.errors import TrialFailed, TrialTimeout
from runner.host.processes import kill_pid
from runner.trial.other_interpreter import started_by

# Held while ``multiprocessing`` starts a process from a server that is not its own.
_starting = threading.Lock()


class ForkServer:
    """Starts processes from a server that has imported one module. The server starts with the first process, and again after it has died.

    Args:
        preload: the name of the module; every process has what it imports.
        python: the executable of another interpreter, whose the server and its processes are; None for this one.
    """

    def __init__(self, preload: str, python: str | None = None) -> None:
        from multiprocessing import forkserver  # not on Windows

        self._server: Any = forkserver.ForkServer()
        self._server.set_forkserver_preload([preload])
        self._python = python

    def start(self, process: BaseProcess, limit_s: float) -> None:
        """Start ``process``, whose context is ``forkserver``.

        Raises:
            TrialTimeout: the server did not answer within ``limit_s``, and was killed.
            TrialFailed: the server ended before it answered.
        """
        late = threading.Event()

        def end() -> None:
            late.set()
            self._kill()

        timer = threading.Timer(limit_s, end)
        timer.daemon = True
        timer.start()
        try:
            with self._in_place_of_the_usual(), _without_unknown_start_method(), started_by(self._python):
                process.start()
        except (EOFError, OSError) as error:
            # A failed server is not used again. This waits for its end, so that the next start begins a new one.
            self._kill()
            self._server._stop()  # noqa: SLF001
            if late.is_set():
                raise TrialTimeout(f"the fork server started no process within {limit_s:g} s and was killed") from error
            raise TrialFailed(f"the fork server ended before it started a process: {error}", kind="ForkServerEnded") from error
        finally:
            timer.cancel()

    def ends_within(self, limit_s: float) -> bool:
        """Whether the server is gone, with all the processes that it has started, or will be in so many seconds; its files are closed before."""
        pid, end = self._server._forkserver_pid, monotonic() + limit_s  # noqa: SLF001
        try:
            while pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                if monotonic() >= end:
                    return False
                sleep(0.01)
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False
        return pid is not None

    def end(self) -> None:
        """End the server, if it runs; the next process starts another one, with the environment of then."""
        self._kill()
        with contextlib.suppress(OSError):
            self._server._stop()  # noqa: SLF001

    @contextlib.contextmanager
    def _in_place_of_the_usual(self) -> Iterator[None]:
        from multiprocessing import forkserver

        module: Any = forkserver
        with _starting:
            usual = module.connect_to_new_process
            module.connect_to_new_process = self._server.connect_to_new_process
            try:
                yield
            finally:
                module.connect_to_new_process = usual

    def _kill(self) -> None:
        pid = self._server._forkserver_pid  # noqa: SLF001  (there is no public way to end a server)
        if pid is not None:
            kill_pid(pid)


@contextlib.contextmanager
def _without_unknown_start_method() -> Iterator[None]:
    """Unset a start method that only this process knows, as in a worker of joblib: a fresh process would try to take it over."""
    method = multiprocessing.get_start_method(allow_none=True)
    if method is None or method in multiprocessing.get_all_start_methods():
        yield
        return
    multiprocessing.set_start_method(None, force=True)
    try:
        yield
    finally:
        multiprocessing.set_start_method(method, force=True)


_servers: dict[tuple[str | None, bool], ForkServer] = {}


def fork_server(*, tensorflow: bool, python: str | None = None) -> ForkServer:
    """The server with or without TensorFlow, of another interpreter where ``python`` is its executable; all trials of this program share it."""
    preload = "runner.trial.preload_tensorflow" if tensorflow else "runner.trial.preload_light"
    return _servers.setdefault((python, tensorflow), ForkServer(preload, python))


def end_fork_servers(*, others_only: bool = False) -> None:
    """End this program's servers, for a program that goes on: each holds what it has imported, and the environment of its start.

    With ``others_only``, those of other interpreters.
    """
    for (python, _), server in _servers.items():
        if python is not None or not others_only:
            server.end()
