"""The team's server of docs/team-server.md on loopback: MLflow with passwords, on PostgreSQL, with its artifacts in S3."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.postgres import Postgres, free_port

_BUCKET = "mlflow"


class TeamServer:
    """Started by ``with``, gone after it.

    Attributes:
        uri: of the MLflow server.
        s3: the address of the S3 server.
        database: the PostgreSQL server.
        secrets: every password and key that there is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._admin_password = secrets.token_hex(8)
        self._s3_key = secrets.token_hex(16)
        self._port = free_port()
        self.uri = f"http://127.0.0.1:{self._port}"
        self._passwords: dict[str, str] = {}

    def __enter__(self) -> Self:
        from moto.server import ThreadedMotoServer

        with contextlib.ExitStack() as started:
            self.database = started.enter_context(Postgres())
            storage = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
            storage.start()
            started.callback(storage.stop)
            self.s3 = f"http://127.0.0.1:{storage.get_host_and_port()[1]}"
            self._client().create_bucket(Bucket=_BUCKET)
            started.callback(self._stop)
            self._start()
            self._stack = started.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def secrets(self) -> list[str]:
        return [self._admin_password, self._s3_key, self.database.password, *self._passwords.values()]

    def user(self, name: str) -> dict[str, str]:
        """Make a user; returns the variables by which MLflow's client is that user."""
        password = self._passwords[name] = secrets.token_hex(8)
        self.ask("/api/2.0/mlflow/users/create", {"username": name, "password": password})
        return {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}

    def ask(self, path: str, body: dict[str, Any], user: tuple[str, str] | None = None) -> Any:
        """The server's answer to its administrator, or to ``user``."""
        name, password = user or ("admin", self._admin_password)
        authorization = base64.b64encode(f"{name}:{password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Basic {authorization}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  (it is our own)
            return json.loads(answer.read())

    def stored(self) -> list[str]:
        """The keys of all artifacts, read from the S3 server."""
        pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=_BUCKET)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.s3,
            aws_access_key_id="mlflow",
            aws_secret_access_key=self._s3_key,
            region_name="us-east-1",
        )

    def _start(self) -> None:
        # The driver by name: which one postgresql:// means depends on SQLAlchemy's version.
        database = self.database.uri.replace("postgresql:", "postgresql+psycopg2:", 1)
        config = self._folder / "basic_auth.ini"
        config.write_text(
            "[mlflow]\ndefault_permission = EDIT\nadmin_username = admin\nauth_cache_ttl_seconds = 60\n"
            f"database_uri = {database}\nauthorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
        )
        config.chmod(0o600)
        environment = os.environ | {
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{_BUCKET}/artifacts",
            "MLFLOW_S3_ENDPOINT_URL": self.s3,
            "AWS_ACCESS_KEY_ID": "mlflow",
            "AWS_SECRET_ACCESS_KEY": self._s3_key,
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_AUTH_CONFIG_PATH": str(config),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self._admin_password,
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth", "--port", str(self._port)]
        self._log = self._folder / "server.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        limit = time.monotonic() + 200
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < limit, self._log.read_text()[-4000:]
                assert self._process.poll() is None, self._log.read_text()[-4000:]
                time.sleep(0.2)

    def _stop(self) -> None:
        if sys.platform == "win32":  # where it was not started
            return
        if hasattr(self, "_process"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
