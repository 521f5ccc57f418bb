"""The program as a user has it, from the command to the files and to MLflow."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from support.made_records import good_trial
from support.photos import photo
from support.program import Program
from support.rows import rows_in
from support.stores import local_store, runs_at, sweep_in

from runner.config.metrics import METRICS


def test_a_sweep_from_the_command_to_mlflow(program: Program) -> None:
    answer = program("mode=thread,process", "workers=2", "protocol=quick", "images=6", "-m")
    assert answer.returncode == 0, answer.stderr
    assert sorted(path.name for path in program.folder.iterdir()) == ["outputs"]
    folder = sweep_in(program.folder)

    sweep = json.loads((folder / "sweep.json").read_text())
    assert [point["name"] for point in sweep["points"]] == ["thread-w2", "process-w2"]
    assert sweep["warnings"] == []
    digests = set()
    for point in sweep["points"]:
        assert set(point["metrics"]) == set(METRICS)
        inside = folder / point["folder"]
        assert (inside / ".hydra" / "overrides.yaml").is_file()
        record = json.loads((inside / "result.json").read_text())
        assert len(record["trials"]) == 3
        digests |= {trial["digest"] for trial in record["trials"]}
    assert len(digests) == 1

    assert "thread-w2" in answer.stdout
    assert "may be best" in answer.stdout or "leader" in answer.stdout
    assert str(folder.relative_to(program.folder)) in answer.stdout

    runs = {run["name"]: run for run in runs_at(local_store(program.folder)) if run["params"]}
    assert set(runs) == {"thread-w2", "process-w2"}
    for run in runs.values():
        assert run["status"] == "FINISHED"
        assert {name for name in run["metrics"] if not name.startswith("system/")} == set(METRICS)
        assert run["params"]["workers"] == "2"
        assert {"config.yaml", "result.json", "images", "samples.csv", "runner.log"} <= set(run["artifacts"])
        assert str(program.folder / "outputs") in run["artifact_uri"]
        history = [value for _, value in run["history"]["images_per_s"]]
        assert len(history) == 4
        assert run["metrics"]["images_per_s"] == sorted(history[:3])[1]
    assert runs["process-w2"]["params"]["mode"] == "process"


def test_a_failing_point_costs_the_others_nothing(program: Program) -> None:
    photo(program.folder / "good" / "a.jpg")
    bad = program.folder / "bad" / "a.jpg"
    bad.parent.mkdir()
    bad.write_bytes(b"no image")
    words = ["source=folder", "source.path=bad,good", "mode=process", "workers=2", "images=4", "protocol=quick"]
    answer = program("-m", *words)
    assert answer.returncode == 1
    assert "no image could be processed" in answer.stdout + answer.stderr
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert [point["status"] for point in sweep["points"]] == ["failed", "ok"]
    assert sweep["points"][1]["metrics"]["images_ok"]["value"] == 4
    runs = {run["params"]["source.path"]: run for run in runs_at(local_store(program.folder)) if run["params"]}
    assert runs["bad"]["status"] == "FAILED"
    assert "no image could be processed" in runs["bad"]["tags"]["error"]
    assert runs["good"]["status"] == "FINISHED"


def test_the_notebooks_experiment_prints_the_notebooks_block(program: Program) -> None:
    answer = program("experiment=notebook", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert re.match(r"Time taken: \d+\.\d{3} seconds", lines[0])
    assert re.match(r"CPU usage: .+ → .+", lines[1])
    assert lines[2].startswith("GPU usage: ")
    assert lines[3] == "Processed 15 images successfully."
    assert any(line.split()[:1] == ["startup_s"] for line in lines)
    assert not (program.folder / "outputs" / "mlflow.db").exists()
    (result,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(result.read_text())
    assert sorted(row["worker"] for row in rows_in(result.parent)) == list(range(15))
    assert record["trials"][0]["tf"]["intra_op"] == 4


def test_the_command_in_the_record_runs_the_same_again(program: Program, tmp_path: Path) -> None:
    odd = photo(tmp_path / "it's a «photo».jpg")
    answer = program("protocol=once", "workers=2", "images=2", "tracking=none", "source=file", f"source.path='{_quoted(odd)}'")
    assert answer.returncode == 0, answer.stderr
    (first,) = program.folder.glob("outputs/runs/*/*/result.json")
    record = json.loads(first.read_text())
    subprocess.run(record["command"], shell=True, cwd="/", check=True, capture_output=True, timeout=120)  # noqa: S602
    again = [path for path in program.folder.glob("outputs/runs/*/*/result.json") if path != first]
    assert len(again) == 1
    assert json.loads(again[0].read_text())["config_hash"] == record["config_hash"]


def _quoted(path: Path) -> str:
    return str(path).replace("'", r"\'")


@pytest.mark.parametrize("kind", ["garbage", "folder"])
def test_a_store_that_is_no_database_costs_a_message_and_no_result(program: Program, kind: str) -> None:
    store = program.folder / "outputs" / "mlflow.db"
    store.parent.mkdir()
    if kind == "garbage":
        store.write_text("this is no database, and was never meant to be one: " * 100)
    else:
        store.mkdir()
    answer = program("protocol=once", "workers=1", "images=1")
    assert answer.returncode == 0, answer.stderr
    assert "This run is not complete in MLflow" in answer.stderr
    assert "mlflow.db" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_outputs_that_cannot_be_written_are_one_message(program: Program) -> None:
    (program.folder / "outputs").write_text("a file")
    for words in (["workers=1"], ["workers=1,2", "-m"]):
        answer = program(*words)
        assert answer.returncode == 1
        assert "outputs" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_odd_characters_in_choices_are_shown_as_they_are(program: Program) -> None:
    for name in ("a[b]", "c[/b]"):
        photo(program.folder / name / "a.jpg")
    answer = program(
        "source=folder", "source.path='a[b]','c[/b]'", "protocol=once", "workers=1", "images=1", "tracking=none", "-m"
    )
    assert answer.returncode == 0, answer.stderr
    assert "source.path=a[b]" in answer.stdout.replace("'", "")
    assert "source.path=c[/b]" in answer.stdout.replace("'", "")


def test_programs_that_create_one_fresh_store_at_once_do_not_break_it(program: Program) -> None:
    words = ["protocol=once", "workers=1", "images=1", "mode=sequential", "task=pillow"]
    answers: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: answers.append(program.cold(*words))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.returncode for answer in answers] == [0, 0, 0]
    assert [answer.stderr for answer in answers if "MLflow" in answer.stderr] == []
    assert len(runs_at(local_store(program.folder))) == 3


def test_the_pages_show_the_right_store(program: Program) -> None:
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    early = subprocess.run(
        [sys.executable, "-m", "runner", "ui"],
        cwd=program.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert early.returncode == 1
    assert "no runs yet" in early.stderr
    assert program("protocol=once", "workers=1", "images=1").returncode == 0
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pages = subprocess.Popen(
        [sys.executable, "-m", "runner", "ui", "--port", str(port)], cwd=program.folder,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        found = _ask(f"http://127.0.0.1:{port}/api/2.0/mlflow/experiments/get-by-name?experiment_name=image-pipeline", pages)
        location = json.loads(found)["experiment"]["artifact_location"]
        assert location == (program.folder / "outputs" / "mlartifacts").as_uri()
    finally:
        pages.terminate()  # with which it ends MLflow's server, too
        pages.communicate(timeout=60)


def _ask(url: str, server: subprocess.Popen[bytes]) -> bytes:
    limit = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except OSError:
            assert time.monotonic() < limit, "the server did not answer"
            assert server.poll() is None, "the server is gone"
            time.sleep(0.2)


def test_points_that_disagree_on_the_same_input_are_called_out(tmp_path: Path) -> None:
    from support.points import point

    from runner.analysis.warnings import of_sweep
    from runner.config.options import Execution, Protocol, Tensorflow

    enough = Protocol(rounds=8)
    points = [point(tmp_path / name, workers=workers, protocol=enough) for name, workers in (("a", 1), ("b", 2), ("c", 3))]
    for one, digest in zip(points, ("same", "same", "other"), strict=True):
        one.trials.append(good_trial(digest=digest))
    (warning,) = of_sweep([one.facts() for one in points])
    assert warning.kind == "results_differ"
    assert "thread-w3: other" in warning.message
    task = points[2].config.task
    assert isinstance(task, Tensorflow)
    task.execution = Execution.graph  # another way to the same result
    assert len(of_sweep([one.facts() for one in points])) == 1
    task.size = 100
    assert of_sweep([one.facts() for one in points]) == []
    for one in points:
        one.config.task = Tensorflow(steps=["decode", "standardize"])
    assert len(of_sweep([one.facts() for one in points])) == 1
    points[2].config.tf.intra_op = 7  # which may change the last bits of such a mean
    assert of_sweep([one.facts() for one in points]) == []


@pytest.mark.parametrize("preset", ["notebook_processes", "notebook_synthetic"])
def test_the_other_presets_run(program: Program, preset: str) -> None:
    answer = program(f"experiment={preset}", "tracking=none", "workers=3")
    assert answer.returncode == 0, answer.stderr
    assert "Processed 15 images successfully." in answer.stdout
