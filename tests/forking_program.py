"""Runs the program again and again without importing it again and again: a process that has imported it forks one for each run.

As a program, it is that process: it reads a line of JSON for each run, and answers with the exit status.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class ForkingProgram:
    """Started once; ``run`` is as if ``python -m runner`` were called, but for the time that imports take."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"},  # threads would not live through a fork
        )  # fmt: skip

    def run(self, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it in ``folder``."""
        files = [self._scratch / name for name in ("out", "err")]
        order = {"folder": str(folder), "words": words, "files": [str(file) for file in files]}
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return subprocess.CompletedProcess(list(words), status, *(file.read_text() for file in files))

    def close(self) -> None:
        """End it."""
        self._server.communicate()


def _serve() -> None:
    import hydra  # noqa: F401
    import numpy as np  # noqa: F401

    import runner.app
    import runner.config.check
    import runner.config.explain
    import runner.launch
    import runner.point
    import runner.session
    import runner.sweep
    import runner.terminal  # noqa: F401

    for line in sys.stdin:
        order = json.loads(line)
        if not (child := os.fork()):
            _become(order)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    from runner.app import main

    status = 1
    try:
        os.chdir(order["folder"])
        for number, name in enumerate(order["files"], 1):
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
            os.close(handle)
        sys.argv = ["runner", *order["words"]]
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
