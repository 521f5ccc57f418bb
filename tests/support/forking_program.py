"""Runs the program again and again without importing it again and again: a process that has imported it forks one for each run.

As a program, it is that process: its words are the modules to import; it reads a line of JSON for each run, and answers with its status.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from support.paths import ROOT

_SETTINGS = {"COLUMNS": "200", "OPENBLAS_NUM_THREADS": "1"}  # threads would not live through a fork

# This word stands for the program's fork servers, which its runs then share.
FORK_SERVERS = "fork-servers"


class ForkingProgram:
    """As if ``python -m MODULE`` were called in a fresh process, but for the time that imports take.

    Args:
        scratch: a folder for what a run prints.
        modules: what is imported beforehand; nothing that starts threads.
    """

    def __init__(self, scratch: Path, *modules: str) -> None:
        self._scratch = scratch
        self._modules = modules
        self._server: subprocess.Popen[str] | None = None

    def run(self, folder: Path, module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Call the ``main`` of ``module`` in ``folder``, with these words and with these variables besides the test's own."""
        files = [self._scratch / name for name in ("out", "err")]
        order = {
            "folder": str(folder),
            "module": module,
            "words": words,
            "environment": os.environ | _SETTINGS | environment,
            "files": list(map(str, files)),
        }
        self._server = self._server or self._started()
        try:
            status = int(_answer(self._server, json.dumps(order)))
        except BaseException:  # it may answer later, which would be taken for the answer to the next
            self._server.kill()
            self._server = None
            raise
        return subprocess.CompletedProcess([module, *words], status, *(file.read_text() for file in files))

    def _started(self) -> subprocess.Popen[str]:
        path = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-m", "support.forking_program", *self._modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env=os.environ | _SETTINGS | {"PYTHONPATH": os.pathsep.join(path)},
        )  # fmt: skip

    def close(self) -> None:
        """End it."""
        if self._server is not None:
            self._server.communicate()


def _answer(server: subprocess.Popen[str], line: str) -> str:
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(line + "\n")
    server.stdin.flush()
    return server.stdout.readline()


def _serve() -> None:
    if sys.platform == "win32":
        raise OSError("this system cannot fork")
    before_a_run: Callable[[], None] = lambda: None  # noqa: E731
    before = set(os.environ)
    for module in sys.argv[1:]:
        if module == FORK_SERVERS:
            before_a_run = _started_fork_servers()
        else:
            import_module(module)
    set_by_imports = {name: value for name, value in os.environ.items() if name not in before}
    for line in sys.stdin:
        order = json.loads(line)
        if not (child := os.fork()):
            before_a_run()
            order["environment"] = set_by_imports | order["environment"]
            _become(order)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def _started_fork_servers() -> Callable[[], None]:
    """Start them; returns what has a forked process use those of its parent, which it cannot wait for as for a child of its own."""
    from runner.trial.fork_server import fork_server
    from runner.trial.supervisor import Supervisor

    for tensorflow in (False, True):
        Supervisor().warm(tensorflow=tensorflow)
    servers = [fork_server(tensorflow=tensorflow)._server for tensorflow in (False, True)]

    def use() -> None:
        for server in servers:
            server.ensure_running = lambda: None

    return use


def _become(order: dict[str, Any]) -> None:
    status = 1
    try:
        os.chdir(order["folder"])
        sys.path[0] = order["folder"]  # as ``python -m`` has it, which the program then undoes
        os.environ.clear()
        os.environ.update(order["environment"])
        for number, name in enumerate(order["files"], 1):
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(handle, number)
            os.close(handle)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = [order["module"], *order["words"]]
        main = ModuleType("__main__")  # what processes that it spawns import
        main.__spec__ = find_spec("runner.__main__")
        sys.modules["__main__"] = main
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
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _serve()
