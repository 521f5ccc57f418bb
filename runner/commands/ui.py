"""``runner ui``: serves MLflow's web pages for the store under ``outputs/``, on loopback only."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

from runner.display.console import print_line
from runner.errors import RunnerError
from runner.files import outputs
from runner.host.processes import end_tree
from runner.tracking.store import artifacts_uri, database_uri

# MLflow would start six processes more for jobs that none of these pages has.
_SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

# How long the server may take to end its requests.
_GRACE_S = 3.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the words that the command takes."""
    parser.add_argument("--port", type=int, default=5000, help="of the web server; by default 5000")


def run(arguments: argparse.Namespace) -> int:
    """Serve until stopped."""
    command = server_command(arguments.port)
    print_pages(f"http://127.0.0.1:{arguments.port}")
    # In a session of its own, so that Ctrl-C and SIGTERM reach this process alone, which then ends all of it.
    server = subprocess.Popen(command, env=_SETTINGS | os.environ, start_new_session=True)  # noqa: S603
    try:
        return server.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        if server.poll() is None:
            end_tree(server.pid, _GRACE_S)
            server.wait()


def print_pages(server: str) -> None:
    """Print the address of each experiment's table of runs."""
    from mlflow import MlflowClient

    from runner.tracking.connection import page_of

    for experiment in MlflowClient(tracking_uri=database_uri()).search_experiments():
        if experiment.tags:
            print_line(f"{experiment.name}: {page_of(server, experiment.experiment_id)}")


def server_command(port: int) -> list[str]:
    """The command that serves the local store.

    Raises:
        RunnerError: there is no store yet.
    """
    if not (outputs() / "mlflow.db").is_file():
        raise RunnerError(f"there are no runs yet in {outputs()}; python -m runner records one")
    options = ["--backend-store-uri", database_uri(), "--default-artifact-root", artifacts_uri()]
    return [sys.executable, "-m", "mlflow", "server", *options, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
