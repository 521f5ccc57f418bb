"""A store in trouble costs a message; the record stays complete, and what is missing is brought later."""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.program import Program, can_be_apart
from support.stores import local_store, runs_at
from support.tracking import point_in, sync
from support.troublesome_proxy import TroublesomeProxy

from runner.config.metrics import METRICS

pytestmark = pytest.mark.slow


def sync_afresh(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process that imports everything itself."""
    return program.cold("sync", "outputs", *words)


def test_tracking_on_a_server(program: Program, server: str) -> None:
    words = ["mode=thread", "workers=1,2", "images=4", "protocol=once", "tracking=server", f"tracking.uri={server}"]
    answer = program(*words, "tracking.experiment='a team'", "-m")
    assert answer.returncode == 0, answer.stderr
    assert f"{server}/#/experiments/" in answer.stdout
    runs = runs_at(server, "a team")
    assert sorted(run["name"].split(",")[0] for run in runs) == ["thread-w1", "thread-w2", "workers"]
    assert all("result.json" in run["artifacts"] for run in runs if run["params"])
    assert not (program.folder / "outputs" / "mlflow.db").exists()


@pytest.mark.parametrize("then", ["drop", "500", "hang"])
@pytest.mark.parametrize("good", [0, 9])
def test_a_server_in_trouble_costs_a_message_and_sync_brings_the_rest(
    recorded: Path, program: Program, server: str, then: str, good: int
) -> None:
    shutil.copytree(recorded / "outputs" / "sweeps", program.folder / "outputs" / "sweeps")
    experiment = f"{then} after {good}"
    with TroublesomeProxy(server, good, then) as proxy:
        began = time.monotonic()
        answer = sync(program, "--uri", proxy.uri, "--experiment", experiment)
        seconds = time.monotonic() - began
        assert proxy.requests < good + 12  # it gave up, and did not try every point
    assert answer.returncode == 1
    assert answer.stdout.count(proxy.uri) == 1
    assert "Traceback" not in answer.stdout + answer.stderr
    assert seconds < 90

    for written in ("3 runs", "2 runs", "1 runs") if good else ("3 runs",):
        answer = sync(program, "--uri", server, "--experiment", experiment)
        assert answer.returncode == 0, answer.stdout
        if written in answer.stdout:
            break
    assert "was there already" in sync(program, "--uri", server, "--experiment", experiment).stdout
    runs = runs_at(server, experiment)
    assert sorted(run["name"].split(",")[0] for run in runs) == ["mode", "process-w2", "thread-w2"]
    assert {run["status"] for run in runs} == {"FINISHED"}
    for run in runs:
        assert run["tags"]["record.complete"] == "true"
        for key in METRICS if run["params"] else ():
            assert [step for step, _ in run["history"][key]] == [0, 1, 2, 3]  # none of them twice


def test_a_server_that_refuses_costs_the_program_a_message_and_no_result(program: Program) -> None:
    answer = program("protocol=once", "workers=2", "images=2", "tracking=server", "tracking.uri=http://127.0.0.1:9")
    assert answer.returncode == 0
    assert "connection refused" in answer.stderr
    assert "-m runner sync outputs/runs/" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert point_in(program.folder)


def test_a_run_is_not_left_running_when_the_program_is_ended(copied: Program, server: str) -> None:
    with TroublesomeProxy(server, 8, "hang") as proxy:
        command = [sys.executable, "-m", "runner", "sync", "outputs", "--uri", proxy.uri, "--experiment", "ended"]
        environment = os.environ | {"MLFLOW_HTTP_REQUEST_TIMEOUT": "50"}
        process = subprocess.Popen(command, cwd=copied.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        assert proxy.trouble.wait(60)
        process.send_signal(signal.SIGTERM)
        proxy.mend()
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert b"Traceback" not in error
    assert "RUNNING" not in {run["status"] for run in runs_at(server, "ended")}


def test_a_resumed_point_is_one_run_with_all_of_it(copied: Program) -> None:
    sync(copied)
    path = point_in(copied.folder) / "result.json"
    record = json.loads(path.read_text())
    record["trials"].append({**record["trials"][2], "round": 3})
    path.write_text(json.dumps(record))
    assert "1 runs written" in sync(copied).stdout
    (run,) = (run for run in runs_at(local_store(copied.folder)) if run["name"] == "sequential")
    assert [step for step, _ in run["history"]["images_per_s"]] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("place", ["outputs", "elsewhere"])
def test_programs_that_write_the_same_records_into_one_fresh_store_at_once_write_them_once(copied: Program, place: str) -> None:
    store = copied.folder / place / "mlflow.db"
    store.parent.mkdir(exist_ok=True)
    words = [] if place == "outputs" else ["--uri", f"sqlite:///{store}"]
    before = _left_in_temporary_folder()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sync_afresh(copied, *words), range(4)))
    assert [answer.returncode for answer in answers] == [0, 0, 0, 0], [answer.stdout for answer in answers]
    assert len(runs_at(f"sqlite:///{store}")) == 4
    assert len(list((store.parent / "mlartifacts").rglob("result.json"))) == 3
    assert {path.name for path in copied.folder.iterdir()} == {"outputs", place}
    assert _left_in_temporary_folder() == before


def _left_in_temporary_folder() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("image-pipeline-runner-*"))


def _damaged(folder: Path, statement: str) -> None:
    with sqlite3.connect(folder / "outputs" / "mlflow.db") as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE alembic_version SET version_num = 'from_the_future'", "another version of MLflow"),
        ("UPDATE alembic_version SET version_num = '451aebb31d03'", "mlflow db upgrade"),
        ("UPDATE experiments SET lifecycle_stage = 'deleted'", "has been deleted; restore it"),
    ],
)
def test_a_store_that_cannot_be_used_as_it_is_gets_one_clear_message(copied: Program, statement: str, said: str) -> None:
    assert sync(copied).returncode == 0
    _damaged(copied.folder, statement)
    answer = sync(copied)
    assert answer.returncode == 1
    assert answer.stdout.count(said) == 1
    assert "Traceback" not in answer.stdout + answer.stderr


def _obey_modes() -> None:
    """From the next exec on, root may not write either what its mode says cannot be written: PR_CAPBSET_DROP of CAP_DAC_OVERRIDE."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="takes Linux")
def test_a_store_that_is_read_only_gets_one_clear_message(copied: Program) -> None:
    assert sync(copied).returncode == 0
    store = copied.folder / "outputs" / "mlflow.db"
    store.chmod(0o444)
    words = [sys.executable, "-m", "runner", "sync", "outputs", "--experiment", "another"]
    answer = subprocess.run(
        words, cwd=copied.folder, preexec_fn=_obey_modes, capture_output=True, text=True, timeout=120, check=False
    )
    assert answer.returncode == 1
    assert answer.stdout.count("mlflow.db: attempt to write a readonly database") == 1
    assert answer.stderr == ""


@pytest.mark.skipif(not can_be_apart("mount"), reason="takes the right to mount")
@pytest.mark.parametrize("room", ["16k", "1200k"])  # for no table, and for the tables but not for all runs
def test_a_disk_that_is_full_gets_a_clear_message_and_what_is_missing_comes_later(copied: Program, room: str) -> None:
    full = copied.folder / "full"
    full.mkdir()
    words = shlex.join([sys.executable, "-m", "runner", "sync", "outputs", "--uri", f"sqlite:///{full}/mlflow.db"])
    script = (
        f"mount -t tmpfs -o size={room} none full && {words} > first.txt 2>&1; echo $?; "
        f"mount -o remount,size=100m full && {words} > second.txt 2>&1; echo $?; cp full/mlflow.db later.db"
    )
    apart = ["unshare", "--mount", "sh", "-c", script]
    answer = subprocess.run(apart, cwd=copied.folder, capture_output=True, text=True, timeout=200, check=True)
    first, second = ((copied.folder / name).read_text() for name in ("first.txt", "second.txt"))
    assert answer.stdout.split() == ["1", "0"], first + second
    assert "mlflow.db: the disk is full" in first
    assert all(line.startswith(("sqlite:", str(copied.folder))) for line in first.splitlines()), first
    runs = runs_at(f"sqlite:///{copied.folder}/later.db")
    assert sorted(run["status"] for run in runs) == ["FINISHED"] * 4


def test_what_holds_no_record_is_refused(program: Program) -> None:
    (program.folder / "outputs").mkdir()
    answer = sync(program)
    assert answer.returncode == 1
    assert "holds no record" in answer.stderr
    (program.folder / "outputs" / "result.json").write_text("{}")
    answer = sync(program)
    assert "is not a record of this program" in answer.stderr
    assert "Traceback" not in answer.stderr
