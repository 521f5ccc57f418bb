"""MLflow: what a run holds, that it is written exactly once, and that a store in trouble costs seconds and no result."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_records import comparison
from support.program import Program, can_be_apart
from support.stores import local_store, runs_at, sweep_in
from support.troublesome_proxy import TroublesomeProxy
from support.warm_program import warm

from runner.analysis.agreement import agreement
from runner.config.metrics import METRICS
from runner.record.metric_schema import Metrics
from runner.record.reading import read_point, read_sweep
from runner.tracking.content import point_content, sweep_content
from runner.tracking.system import MOST_SAMPLES, system_metrics

pytestmark = pytest.mark.slow


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


@pytest.fixture(scope="module")
def stored(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The runs that became of ``recorded``."""
    program = Program(tmp_path_factory.mktemp("stored"))
    shutil.copytree(recorded / "outputs", program.folder / "outputs")
    answer = sync(program)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return runs_at(local_store(program.folder))


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


def sync_afresh(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process that imports everything itself."""
    return program.cold("sync", "outputs", *words)


def point_in(folder: Path) -> Path:
    (found,) = (path.parent for path in folder.glob("outputs/runs/*/*/result.json"))
    return found


# ------------------------------------------------------------------------------------------------ what a run holds


def test_a_sweep_is_a_parent_run_with_its_points_nested(stored: list[Any]) -> None:
    runs = {run["name"]: run for run in stored}
    (parent,) = (run for name, run in runs.items() if name.startswith("mode, 20"))
    assert set(runs) == {parent["name"], "thread-w2", "process-w2", "sequential"}
    assert [runs[name]["tags"].get("mlflow.parentRunId") for name in ("thread-w2", "process-w2", "sequential")] == [
        parent["id"], parent["id"], None,
    ]  # fmt: skip
    assert {"comparison.md", "sweep.json", "report.html", "ranking.svg"} <= set(parent["artifacts"])
    assert parent["metrics"] == {}  # a value there would be compared with those of points
    assert {run["status"] for run in runs.values()} == {"FINISHED"}


def test_a_run_has_the_same_keys_whatever_was_run_and_numbers_where_numbers_are_meant(stored: list[Any]) -> None:
    runs = [run for run in stored if run["metrics"]]
    assert len(runs) == 3
    plain = [{key for key in run["metrics"] if not key.startswith("system/")} for run in runs]
    assert plain == [set(METRICS)] * 3
    assert len({frozenset(run["params"]) for run in runs}) == 1
    for run in runs:
        for key in ("workers", "threads_per_worker", "tf.intra_op", "tf.inter_op", "images"):
            assert run["params"][key].isdigit(), key
    assert {run["params"]["workers"] for run in runs} == {"1", "2"}  # sequential has one, whatever it was told


def test_trials_are_the_steps_of_a_metric_and_its_value_is_their_median(stored: list[Any]) -> None:
    for run in stored:
        for key in METRICS if run["metrics"] else ():
            steps, values = zip(*run["history"][key], strict=True)
            assert steps == (0, 1, 2, 3)
            assert values[3] == sorted(values[:3])[1] == run["metrics"][key]


def test_a_run_says_what_it_was_made_of_and_how_to_repeat_it(recorded: Path, stored: list[Any]) -> None:
    record = json.loads((point_in(recorded) / "result.json").read_text())
    (run,) = (run for run in stored if run["name"] == "sequential")
    assert run["tags"]["mlflow.user"] == record["environment"]["user"]
    assert run["tags"]["host"] == socket.gethostname()
    assert run["tags"]["command"] == record["command"]
    assert run["tags"]["mlflow.source.name"] == "runner"
    assert "-m runner rerun" in run["tags"]["mlflow.note.content"]
    assert "images/s" in run["tags"]["mlflow.note.content"]
    assert {"config.yaml", "images", "result.json", "runner.log", "samples.csv", "trace.json"} == set(run["artifacts"])
    ((name, digest),) = run["datasets"]
    assert name == "sample"
    assert len(digest) <= 36
    trials = record["trials"]
    assert run["seconds"] == pytest.approx(sum(trial["ended_at"] - trial["started_at"] for trial in trials), abs=0.01)


def test_the_datasets_digest_is_of_the_images_bytes(recorded: Path) -> None:
    point = read_point(point_in(recorded))
    assert point is not None
    first = point_content(point, None).dataset
    record = json.loads(json.dumps(point.record))
    record["images"][0]["sha256"] = "0" * 64
    second = point_content(type(point)(point.folder, record, point.label, point.varying), None).dataset
    assert first is not None
    assert second is not None
    assert first["name"] == second["name"]
    assert first["digest"] != second["digest"]


def test_a_run_carries_the_commit_and_whether_files_differ_from_it(recorded: Path) -> None:
    point = read_point(point_in(recorded))
    assert point is not None
    record = json.loads(json.dumps(point.record))
    record["environment"]["git"] = {"commit": "c" * 40, "dirty": True}
    tags = point_content(type(point)(point.folder, record, point.label, point.varying), None).tags
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["git_dirty"] == "true"


def test_a_verdict_is_in_the_note_of_its_run(recorded: Path) -> None:
    sweep = read_sweep(sweep_in(recorded))
    found = comparison(point="process-w2", baseline="thread-w2", ratio=1.5, low=1.4, high=1.6, verdict="faster")
    judged = type(sweep)(sweep.folder, {**sweep.record, "comparisons": [found]}, sweep.measured)
    notes = [point_content(point, judged).tags["mlflow.note.content"] for point in judged.measured]
    assert "1.50 x [1.40, 1.60], faster" in notes[1]
    assert "faster" not in notes[0]
    assert "1.50 x [1.40, 1.60], faster" in sweep_content(judged).tags["mlflow.note.content"]


def test_the_system_metrics_of_a_short_trial_have_cpu_and_memory_over_its_time(stored: list[Any]) -> None:
    (run,) = (run for run in stored if run["name"] == "process-w2")
    for name in ("cpu_utilization_percentage", "resident_memory_sum_megabytes", "processes"):
        assert len(run["history"][f"system/{name}"]) >= 4, name
    assert max(value for _, value in run["history"]["system/processes"]) == 3
    assert len(run["history"]["system/system_memory_usage_megabytes"]) >= 2
    assert run["metrics"]["system/system_memory_usage_megabytes"] == pytest.approx(run["metrics"]["peak_memory_mb"], rel=0.1)


def test_memory_after_the_last_epoch_is_shown_there_however_many_pauses_there_were(recorded: Path) -> None:
    """A trial whose page cache is emptied pauses before each epoch."""
    point = read_point(point_in(recorded))
    assert point is not None
    record = json.loads(json.dumps(point.record))
    for trial in record["trials"]:
        first, last = (place for place, phase in enumerate(trial["phases"]) if phase["name"] == "pause")
        expected = {MOST_SAMPLES: trial["phases"][first]["at"], MOST_SAMPLES + 1: trial["phases"][last]["at"]}
        trial["phases"].insert(first + 1, {"name": "pause", "at": trial["phases"][first]["at"] + 0.001, "wall_s": 0.001})
        trial["memory_at_pauses_bytes"] = [1e6, 2e6]
        found = point_content(replace(point, record=record | {"trials": [trial]}), None).metrics
        memory = {value.step: value.timestamp_ms for value in found if value.key == "system/system_memory_usage_megabytes"}
        assert {step: memory[step] for step in expected} == {step: int(at * 1000) for step, at in expected.items()}


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        ((1.0, 0.9, 1.1), (1.05, 1.0, 1.2), "cannot be said"),  # they overlap, and may be a third apart
        ((1.0, 0.999, 1.001), (1.015, 1.014, 1.016), "agrees"),  # they can differ by 1.7 % at most
        ((1.0, 0.99, 1.01), (1.03, 1.02, 1.06), "differs in this session"),
        ((1.0, 0.99, 1.01), (0.0, 0.0, 0.0), "differs in this session"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "agrees"),
        ((1.0, None, None), (1.0, 0.9, 1.1), "cannot be said"),
    ],
)
def test_a_repetition_agrees_where_the_intervals_leave_room_for_hardly_any_difference(
    then: Any, now: Any, outcome: str
) -> None:
    sides: list[Metrics] = [
        {"images_per_s": {"value": value, "low": low, "high": high, "n": 8}} for value, low, high in (then, now)
    ]
    (found,) = (found for found in agreement(*sides) if found.metric == "images_per_s")
    assert found.outcome == outcome


def test_a_long_trials_series_is_thinned_to_means() -> None:
    rows = [{"round": "0", "unix_time_s": str(at / 10), "cpu_pct": str(at % 2 * 200), "phase": "epoch"} for at in range(36_000)]
    found = list(system_metrics(rows, 2.0))
    assert 200 <= len(found) <= MOST_SAMPLES
    assert {value for _, value, _, _ in found} == {50.0}  # of two CPUs
    assert found[-1][2] > 3590 * 1000


def test_gpus_have_mlflows_own_names() -> None:
    row = {
        "round": "0",
        "unix_time_s": "1",
        "gpu_1_utilization_pct": "40",
        "gpu_1_memory_bytes": "2000000",
        "gpu_1_power_w": "",
    }
    found = {key: value for key, value, _, _ in system_metrics([row], 2.0)}
    assert found == {"system/gpu_1_utilization_percentage": 40.0, "system/gpu_1_memory_usage_megabytes": 2.0}


def test_the_table_of_runs_is_told_its_columns(copied: Program, server: str) -> None:
    answer = sync(copied, "--uri", server, "--experiment", "columns")
    assert answer.returncode == 0, answer.stdout
    url = f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name=columns"
    with urllib.request.urlopen(url, timeout=20) as found:  # noqa: S310
        tags = {tag["key"]: tag["value"] for tag in json.load(found)["experiment"]["tags"]}
    columns = json.loads(tags["mlflow.sharedViewState.runner"])["selectedColumns"]
    assert {"params.`mode`", "params.`workers`", "metrics.`images_per_s`", "metrics.`peak_memory_mb`"} <= set(columns)
    assert tags["mlflow.experimentKind"] == "custom_model_development"


# ---------------------------------------------------------------------------------------------- a store in trouble


def test_tracking_on_a_server(program: Program, server: str) -> None:
    words = ["mode=thread", "workers=1,2", "images=4", "protocol=once", "tracking=server", f"tracking.uri={server}"]
    answer = program(*words, "tracking.experiment='a team'", "-m")
    assert answer.returncode == 0, answer.stderr
    assert f"{server}/#/experiments/" in answer.stdout
    runs = runs_at(server, "a team")
    assert sorted(run["name"].split(",")[0] for run in runs) == ["thread-w1", "thread-w2", "workers"]
    assert all("result.json" in run["artifacts"] for run in runs if run["metrics"])
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
        for key in METRICS if run["metrics"] else ():
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


# -------------------------------------------------------------------------------------------------------- secrets


def test_no_secret_reaches_a_record_a_log_or_mlflow(program: Program, server: str) -> None:
    host = server.removeprefix("http://")
    secret = "hunter2"  # noqa: S105
    answer = program.cold(
        "protocol=once", "workers=1,2", "task=pillow", "images=2", "tracking=server", f"tracking.uri=http://somebody:{secret}@{host}",
        "tracking.experiment=secrets", "-m",
        MLFLOW_REGISTRY_TOKEN=secret, TF_SECRET=secret, MLFLOW_S3_ENDPOINT_URL=f"https://me:{secret}@store",
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert secret not in answer.stdout + answer.stderr
    files = [path for path in (program.folder / "outputs").rglob("*") if path.is_file()]
    assert {"result.json", "sweep.json", "multirun.yaml", "config.yaml", "overrides.yaml", "runner.log"} <= {
        path.name for path in files
    }
    for path in files:
        assert secret.encode() not in path.read_bytes(), path
    runs = runs_at(server, "secrets")
    assert len(runs) == 3
    assert secret not in json.dumps(runs)
    record = next(path for path in files if path.name == "result.json").read_text()
    assert json.loads(record)["environment"]["variables"]["MLFLOW_REGISTRY_TOKEN"] == "***"  # noqa: S105
    command = json.loads(record)["command"]
    assert host.partition(":")[2] in command
    assert "@" not in command


def test_an_unreachable_servers_credentials_are_not_in_its_message(program: Program) -> None:
    uri = "tracking.uri=http://me:hunter2@127.0.0.1:9"
    answer = program("protocol=once", "workers=1", "images=2", "tracking=server", uri)
    assert answer.returncode == 0
    assert "127.0.0.1:9" in answer.stderr
    assert "hunter2" not in answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://user:pass@host/path", "http://***@host/path"),
        ("https://token@host", "https://***@host"),
        ("source.url='s3://KEY:a+b/c@bucket/x'", "source.url='s3://KEY:a+b/c@bucket/x'"),  # a slash ends the authority
        ("https://host/a.jpg?X-Amz-Signature=abc&width=3", "https://host/a.jpg?X-Amz-Signature=***&width=3"),
        ("https://host/a?sig=abc&api_key=def&keyword=cat", "https://host/a?sig=***&api_key=***&keyword=cat"),
        (r"url=https\://me\:pass@host/a?sig\=abc", r"url=https\://***@host/a?sig\=***"),
        ("mail me@host, see http://host/me@home", "mail me@host, see http://host/me@home"),
    ],
)
def test_credentials_in_addresses_are_masked_and_nothing_else(text: str, safe: str) -> None:
    from runner.secrets import masked

    assert masked(text) == safe


def test_what_has_a_secrets_name_is_masked_whole() -> None:
    from runner.secrets import masked_data, masked_override

    assert masked_data({"password": "x", "path": "y", "n": 3, "list": [{"api_key": "z"}]}) == {
        "password": "***", "path": "y", "n": 3, "list": [{"api_key": "***"}],
    }  # fmt: skip
    assert masked_override("source.options.secret=abc") == "source.options.secret=***"
    assert masked_override("workers=3") == "workers=3"


# ---------------------------------------------------------------------------------------------------------- rerun


def rerun(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    return program("rerun", *words)


def newest(folder: Path, kind: str, name: str) -> Any:
    return json.loads(max(folder.glob(f"outputs/{kind}/*/*/{name}"), key=lambda path: path.stat().st_mtime).read_text())


def test_a_point_is_repeated_from_its_folder_wherever_one_is(copied: Program) -> None:
    original = point_in(copied.folder)
    elsewhere = Program(copied.folder / "elsewhere")
    elsewhere.folder.mkdir()
    answer = rerun(elsewhere, str(original))
    assert answer.returncode == 0, answer.stderr
    again = newest(elsewhere.folder, "runs", "result.json")
    record = json.loads((original / "result.json").read_text())
    assert again["config_hash"] == record["config_hash"]
    assert again["id"] != record["id"]
    assert "Nothing that was recorded of the environment and of the images differs now." in answer.stdout
    assert "The results are the same, byte by byte." in answer.stdout
    outcome = newest(elsewhere.folder, "runs", "rerun.json")
    assert outcome["of"] == record["id"]
    assert outcome["points"][0]["same_results"]
    (folder,) = (path.parent for path in elsewhere.folder.glob("outputs/runs/*/*/result.json"))
    assert (folder / ".hydra" / "config.yaml").is_file()


def test_a_sweep_is_repeated_from_mlflow_by_the_id_of_its_parent_run(copied: Program) -> None:
    sync(copied)
    runs = {run["name"].split(",")[0]: run for run in runs_at(local_store(copied.folder))}
    shutil.rmtree(copied.folder / "outputs" / "sweeps")
    answer = rerun(copied, runs["mode"]["id"], "images=4")
    assert answer.returncode == 0, answer.stderr
    sweep = newest(copied.folder, "sweeps", "sweep.json")
    assert [point["name"] for point in sweep["points"]] == ["thread-w2", "process-w2"]
    assert "No repetition, because the configuration is another one now: all points" in answer.stdout
    assert sweep["command"].endswith(f"-m runner rerun {runs['mode']['id']} images=4")


def test_a_run_is_repeated_from_a_server_and_recorded_there(copied: Program, server: str) -> None:
    sync(copied, "--uri", server, "--experiment", "again")
    (run,) = (run for run in runs_at(server, "again") if run["name"] == "sequential")
    shutil.rmtree(copied.folder / "outputs")
    answer = rerun(copied, run["id"], "--uri", server, "tracking.experiment=again")
    assert answer.returncode == 0, answer.stderr
    again = [found for found in runs_at(server, "again") if found["name"] == "sequential"]
    assert len(again) == 2
    assert len({found["tags"]["config_hash"] for found in again}) == 1


def test_what_differs_now_is_shown_and_intervals_that_are_apart_differ(copied: Program) -> None:
    path = point_in(copied.folder) / "result.json"
    record = json.loads(path.read_text())
    record["environment"]["packages"]["tensorflow"] = "1.0"
    record["images"][0]["sha256"] = "0" * 64
    for metric in record["metrics"].values():
        metric |= {"low": metric["value"] * 1e6, "high": metric["value"] * 2e6, "value": metric["value"] * 1e6}
    record["trials"][0]["digest"] = "0" * 32
    path.write_text(json.dumps(record))
    answer = rerun(copied, str(path.parent), "protocol.rounds=6", "protocol.epochs=1")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"packages tensorflow\s+│ 1\.0", answer.stdout)
    assert "1 of them other" in answer.stdout
    assert "The results differ from the original's: sequential" in answer.stdout
    assert {found["outcome"] for found in newest(copied.folder, "runs", "rerun.json")["points"][0]["metrics"]} == {
        "differs in this session"
    }


PLAIN = ["null", "True", "nan", "1e3", "0x1", "a-b/c.d", "/abs/x.jpg", "_", "a.", "no", "interpolation"]
ODD = ["it's", 'a "b"', "a\\", "a\\'b", "$HOME", "a=b,c", "{x: y}", "[z]", " spaced ", "日本", "#no comment", "%", "a\tb"]


@pytest.mark.parametrize("text", [*PLAIN, *ODD])
def test_any_configuration_comes_back_as_it_was(text: str, program: Program) -> None:
    """Through the record's own words, whatever they are made of."""
    from support.points import point

    from runner.config.check import config_hash, plain, typed
    from runner.config.compose import composed
    from runner.config.options import Folder, Monitor, ProcessPool, Protocol, Server, Tf
    from runner.config.restore import choices_of
    from runner.config.store import register

    subject = point(program.folder / "point")
    config = subject.config
    config.mode, config.tf, config.workers = ProcessPool(threads_per_worker=3), Tf(2, 5), 7
    config.source = Folder(path=text, pattern=f"*{text}")
    config.protocol, config.monitor = Protocol(rounds=2, precision=0.5), Monitor(enabled=False, interval_s=0.25)
    config.tracking, config.baseline, config.affinity = Server(uri="http://x"), text, "0"
    register()
    again = typed(composed(choices_of(json.loads(json.dumps(plain(config))))))
    assert config_hash(again) == config_hash(config)
    assert again.baseline == text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": {"name": "os.system"}}, "there is no such mode"),
        ({"mode": {"_target_": "os.system", "name": "thread"}}, "mode=thread has no such field"),
        ({"source": {"name": "folder", "path": "${oc.env:HOME}", "pattern": "*"}}, "would be evaluated"),
        ({"hydra": {"callbacks": {"x": {"_target_": "os.system"}}}}, "there is no such key"),
        ({"workers": "many"}, "is not accepted"),
        ({"workers": {"a": 1}}, "is not accepted"),
        ({"workers": -1}, "is out of range"),
        ({"mode": "thread"}, "is no mapping"),
        ({"tf": {"intra_op": "1 tf.inter_op=9", "inter_op": 0}}, "is not accepted"),
    ],
)
def test_a_strangers_configuration_is_data_and_refused_where_it_is_not_valid(
    recorded: Path, program: Program, change: dict[str, Any], said: str
) -> None:
    record = json.loads((point_in(recorded) / "result.json").read_text())
    record["config"] |= change
    target = program.folder / "target"
    target.mkdir()
    (target / "result.json").write_text(json.dumps(record))
    answer = rerun(program, str(target))
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (program.folder / "outputs").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "trials": 3, "overrides": []}']
)
def test_what_is_no_record_is_refused(program: Program, content: str) -> None:
    (program.folder / "result.json").write_text(content)
    answer = rerun(program, ".")
    assert answer.returncode == 1
    assert "record" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("words", [["nowhere"], ["0" * 32], [".", "experiment=notebook"], [".", "workers"]])
def test_a_bad_target_or_choice_is_refused(program: Program, words: Sequence[str]) -> None:
    answer = rerun(program, *words)
    assert answer.returncode == 1
    assert answer.stderr.strip()
    assert "Traceback" not in answer.stderr


def test_another_way_to_do_the_work_is_run_in_turn_with_the_recorded_one(copied: Program) -> None:
    answer = rerun(
        copied,
        str(point_in(copied.folder)),
        "task=pillow",
        "protocol.rounds=2",
        "protocol.verdicts=true",
        "protocol.self_check=false",
    )
    assert answer.returncode == 0, answer.stderr
    sweep = newest(copied.folder, "sweeps", "sweep.json")
    assert ["task=pillow" in point["overrides"] for point in sweep["points"]] == [False, True]
    assert len(sweep["points"]) == 2
    assert {one["n"] for one in sweep["comparisons"]} == {2}  # in the same rounds
