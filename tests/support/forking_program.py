"""Runs the program again and again without importing it again and again: a process that has imported it forks one for each run.

As a program, it is that process: its words are the modules to import; it reads a line of JSON for each run, and answers with its status.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from support.program import ROOT

_SETTINGS = {"COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"}  # threads would not live through a fork


class ForkingProgram:
    """As if ``python -m MODULE`` were called in a fresh process, but for the time that imports take.

    Args:
        scratch: a folder for what a run prints.
        modules: what is imported beforehand; nothing that starts threads.
    """

    def __init__(self, scratch: Path, *modules: str) -> None:
        self._scratch = scratch
        tests = str(ROOT / "tests")
        self._server = subprocess.Popen(
            [sys.executable, "-m", "support.forking_program", *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | _SETTINGS | {"PYTHONPATH": os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])},
        )  # fmt: skip

    def run(self, folder: Path, module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call the ``main`` of ``module`` in ``folder``, with these words and with these variables besides its own."""
        files = [self._scratch / name for name in ("out", "err")]
        order = {
            "folder": str(folder),
            "module": module,
            "words": words,
            "environment": environment,
            "files": list(map(str, files)),
        }
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        return subprocess.CompletedProcess([module, *words], status, *(file.read_text() for file in files))

    def close(self) -> None:
        """End it."""
        self._server.communicate()


def _serve() -> None:
    if sys.platform == "win32":
        raise OSError("this system cannot fork")
    for module in sys.argv[1:]:
        import_module(module)
    for line in sys.stdin:
        order = json.loads(line)
        if not (child := os.fork()):
            _become(order)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    status = 1
    try:
        os.chdir(order["folder"])
        os.environ.update(order["environment"])
        for number, name in enumerate(order["files"], 1):
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
            os.close(handle)
        sys.argv = [order["module"], *order["words"]]
        import_module(order["module"]).main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
