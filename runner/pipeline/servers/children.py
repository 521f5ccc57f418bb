"""The life of a server in a process of its own: started with a line of JSON, ready when it says so, ended when its standard input ends.

Its input also ends when the conductor is gone, however that happened.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import runner
from runner.errors import TrialFailed

# How long a server may take to get ready, and to say its last words: seconds.
_ANSWER_S = 60.0

# Python's isolated mode looks for modules neither in the current folder nor in PYTHONPATH.
_ROOT = str(Path(runner.__file__).resolve().parent.parent)
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; import_module(sys.argv[2]).main()"


class Child:
    """A server that runs from the moment this is made.

    Attributes:
        pid: of its process.
        ready: what it said when it was ready.

    Args:
        name: for messages.
        module: whose ``main`` is the server.
        plan: what the server is made of, as plain data.

    Raises:
        TrialFailed: it did not get ready.
    """

    def __init__(self, name: str, module: str, plan: dict[str, Any]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (a module of this program)
            [sys.executable, "-I", "-c", _PROGRAM, _ROOT, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._process.pid
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self.close)
            self._send(plan)
            ready = self._line()
            if ready is None:
                raise TrialFailed(f"the {name} did not get ready", kind="ServiceFailed")
            cleanup.pop_all()
        self.ready: dict[str, Any] = ready

    def end(self) -> dict[str, Any] | None:
        """Let the server end; returns its last words, or None where it died without any."""
        self._close_input()
        return self._line()

    def status(self) -> int:
        """The exit status of the process, negative for a signal; waits until it has ended."""
        return self._process.wait(_ANSWER_S)

    def close(self) -> None:
        """End the process if it still runs; nothing is left of it."""
        self._process.kill()
        self._process.wait()
        self._close_input()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _send(self, plan: dict[str, Any]) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):  # it has died already, which is seen next
                self._process.stdin.write(json.dumps(plan).encode() + b"\n")
                self._process.stdin.flush()

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _line(self) -> dict[str, Any] | None:
        """The next line that the server writes; None where it writes none in time, and then it is killed."""
        timer = threading.Timer(_ANSWER_S, self._process.kill)
        timer.start()
        try:
            line = self._process.stdout.readline() if self._process.stdout is not None else b""
        finally:
            timer.cancel()
        return json.loads(line) if line else None


@contextlib.contextmanager
def child(name: str, module: str, plan: dict[str, Any], services: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Run a server; what it says when it is ready is yielded, what it says at its end goes to ``services[name]``.

    Raises:
        TrialFailed: it did not get ready.
    """
    server = Child(name, module, plan)
    services[name] = {"pid": server.pid, "cpu_s": None}
    try:
        yield server.ready
        services[name] |= server.end() or {"error": f"it ended without a last word, with status {server.status()}"}
    finally:
        server.close()
