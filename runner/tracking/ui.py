"""``python -m runner.tracking.ui``: MLflow's own pages for the store under ``outputs/``, on loopback only."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from runner.errors import RunnerError
from runner.folders import outputs
from runner.tracking.store import artifacts_uri, database_uri


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m runner.tracking.ui", description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port = parser.parse_args().port
    try:
        command = server_command(port)
    except RunnerError as error:
        sys.exit(str(error))
    try:
        sys.exit(subprocess.run(command, env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}, check=False).returncode)  # noqa: S603
    except KeyboardInterrupt:
        sys.exit(0)


def server_command(port: int) -> list[str]:
    """The command that serves the local store.

    Raises:
        RunnerError: there is no store yet.
    """
    if not (outputs() / "mlflow.db").is_file():
        raise RunnerError(f"there are no runs yet in {outputs()}: make demo, or python -m runner, records some")
    options = ["--backend-store-uri", database_uri(), "--default-artifact-root", artifacts_uri()]
    return [sys.executable, "-m", "mlflow", "server", *options, "--host", "127.0.0.1", "--port", str(port)]


if __name__ == "__main__":
    main()
