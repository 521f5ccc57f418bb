"""``python -m runner.tracking.ui``: MLflow's own pages for the store under ``outputs/``, on loopback only."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from rich.console import Console
from rich.markup import escape

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
    print_pages(f"http://127.0.0.1:{port}")
    try:
        sys.exit(subprocess.run(command, env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}, check=False).returncode)  # noqa: S603
    except KeyboardInterrupt:
        sys.exit(0)


def print_pages(server: str) -> None:
    """Where each experiment's table of runs will be."""
    from mlflow import MlflowClient

    from runner.tracking.connection import page_of

    console = Console(highlight=False, soft_wrap=True)
    for experiment in MlflowClient(tracking_uri=database_uri()).search_experiments():
        if experiment.tags:
            console.print(f"{escape(experiment.name)}: {escape(page_of(server, experiment.experiment_id))}")


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
