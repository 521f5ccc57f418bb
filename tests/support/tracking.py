"""A store of MLflow with runs of a small sweep, and a server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.program import Program
from support.warm_program import warm


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose outputs/ hold a sweep of two points and a single run, of which MLflow has never heard."""
    folder = tmp_path_factory.mktemp("recorded")
    program = Program(folder)
    short = ["protocol=quick", "protocol.epochs=2", "images=6", "tracking=none"]
    for words in (["mode=thread,process", "workers=2", *short, "-m"], ["mode=sequential", *short]):
        answer = program(*words)
        assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture
def copied(recorded: Path, program: Program) -> Program:
    """The program in a folder with a copy of ``recorded``."""
    shutil.copytree(recorded / "outputs", program.folder / "outputs")
    return program


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"), "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, start_new_session=True,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        )  # fmt: skip
    try:
        limit = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < limit, (folder / "log").read_text()
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def sync(program: Program, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return warm().run(program.folder, "runner.commands.dispatch", "sync", "outputs", *words, **environment)


def point_in(folder: Path) -> Path:
    (found,) = (path.parent for path in folder.glob("outputs/runs/*/*/result.json"))
    return found
