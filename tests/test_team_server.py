"""The recipe of docs/team-server.md, with real parts on loopback: PostgreSQL, an S3 server, MLflow with passwords."""

from __future__ import annotations

import os
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.stores import runs_at, sweep_in
from support.team_server import TeamServer

from runner.config.metrics import METRICS

pytestmark = pytest.mark.slow

SHORT = ("task=pillow", "mode=thread", "images=4", "protocol=quick", "tracking=server")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TeamServer]:
    with TeamServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def logged(server: TeamServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], list[Path]]:
    """What two users of it see who each logged a sweep of two points at the same time, and their folders."""
    users = {name: server.user(name) for name in ("ann", "ben")}
    folders = [tmp_path_factory.mktemp(name) for name in users]
    processes = [
        subprocess.Popen(
            Program(folder).command(*SHORT, "workers=1,2", f"tracking.uri={server.uri}", "-m"),
            cwd=folder, env=os.environ | {"COLUMNS": "200"} | users[name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for name, folder in zip(users, folders, strict=True)
    ]  # fmt: skip
    for process in processes:
        output, _ = process.communicate(timeout=280)
        assert process.returncode == 0, output
        assert "MLflow has not heard" not in output
    return runs_at(server.uri, **users["ben"]), folders


def test_two_who_log_at_once_are_both_there_in_full(logged: tuple[list[Any], list[Path]]) -> None:
    runs, folders = logged
    parents = {run["id"]: run for run in runs if "sweep.json" in run["artifacts"]}
    assert {run["tags"]["folder"] for run in parents.values()} == {str(sweep_in(folder)) for folder in folders}
    for parent in parents:
        inside = [run for run in runs if run["tags"].get("mlflow.parentRunId") == parent]
        assert sorted(run["name"] for run in inside) == ["thread-w1", "thread-w2"]
        for run in inside:
            assert {name for name in run["metrics"] if not name.startswith("system/")} == set(METRICS)
            assert len(run["history"]["images_per_s"]) == 4  # three trials and their median
            assert {"config.yaml", "images", "result.json"} <= set(run["artifacts"])
    assert {run["status"] for run in runs} == {"FINISHED"}


def test_artifacts_lie_in_s3_though_no_client_has_its_key(server: TeamServer, logged: tuple[list[Any], list[Path]]) -> None:
    runs, _ = logged
    stored = server.stored()
    for run in runs:
        assert {name for name in run["artifacts"] if not any(f"{run['id']}/artifacts/{name}" in key for key in stored)} == set()


def test_runs_lie_in_postgresql(server: TeamServer, logged: tuple[list[Any], list[Path]]) -> None:
    import psycopg2

    connection = psycopg2.connect(server.database.uri)
    with connection.cursor() as cursor:
        cursor.execute("SELECT run_uuid FROM runs")
        found = {row[0] for row in cursor.fetchall()}
    connection.close()
    assert {run["id"] for run in logged[0]} <= found


def test_nobody_gets_in_without_a_password_and_the_record_is_complete_all_the_same(
    server: TeamServer, program: Program
) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        server.ask("/api/2.0/mlflow/experiments/search", {"max_results": 1}, user=("ann", "a guess"))
    answer = program.cold(
        *SHORT, "workers=1,2", f"tracking.uri={server.uri}", "-m", MLFLOW_TRACKING_USERNAME="", MLFLOW_TRACKING_PASSWORD=""
    )
    assert answer.returncode == 0
    assert "the server answered 401" in answer.stderr
    cleo = server.user("cleo")
    later = program.cold("sync", "outputs", **cleo)
    assert "3 runs written" in later.stdout, later.stdout + later.stderr


def test_no_password_and_no_key_is_in_what_conductors_wrote(server: TeamServer, logged: tuple[list[Any], list[Path]]) -> None:
    written = [path for folder in logged[1] for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    for path in written:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in server.secrets), path
