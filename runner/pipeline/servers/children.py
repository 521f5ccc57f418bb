"""A server in a process of its own: a program of the standard library alone, so that it starts in a tenth of a second.

It is told a line of JSON, says when it is ready, and ends when its standard input does, which is also when the conductor is gone.
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

from runner.errors import TrialFailed

# How long a server may take to say that it is ready, and how long to leave.
_START_S = 60.0
_LEAVE_S = 5.0


@contextlib.contextmanager
def child(name: str, script: Path, plan: dict[str, Any], services: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Run ``script`` with ``plan``; what it says when it is ready is yielded, what it says at its end goes to ``services[name]``.

    Raises:
        TrialFailed: it did not get ready.
    """
    process = subprocess.Popen(  # noqa: S603  (a file of this program)
        [sys.executable, "-I", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    services[name] = {"pid": process.pid, "cpu_s": None}
    try:
        _tell(process, plan)
        ready = _line(process, _START_S)
        if ready is None:
            raise TrialFailed(f"the {name} did not get ready", kind="ServiceFailed")
        yield ready
        services[name] |= _end(process) or {"error": f"it ended without a last word, with status {process.wait(_LEAVE_S)}"}
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _tell(process: subprocess.Popen[bytes], plan: dict[str, Any]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):  # one that has died already says nothing, which is seen next
            process.stdin.write(json.dumps(plan).encode() + b"\n")
            process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> dict[str, Any] | None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    return _line(process, _LEAVE_S)


def _line(process: subprocess.Popen[bytes], timeout_s: float) -> dict[str, Any] | None:
    """The next line that the server says; None where it says none in time. It is ended then."""
    timer = threading.Timer(timeout_s, process.kill)
    timer.start()
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
    finally:
        timer.cancel()
    return json.loads(line) if line else None
