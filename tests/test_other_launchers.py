"""Jobs of submitit and joblib become one sweep."""

from __future__ import annotations

import functools
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.machines import SHORT, warnings_in
from support.photos import photo
from support.program import Program
from support.stores import local_store, runs_at, sweep_in

pytestmark = pytest.mark.slow


def records_of(folder: Path) -> list[Any]:
    return [
        json.loads((folder / point["folder"] / "result.json").read_text())
        for point in json.loads((folder / "sweep.json").read_text())["points"]
    ]


def trials_overlap(folder: Path) -> bool:
    """Whether two trials of different points ran at the same time."""
    spans = [(trial["started_at"], trial["ended_at"]) for record in records_of(folder) for trial in record["trials"]]
    return any(later < end for (_, end), (later, _) in itertools.pairwise(sorted(spans)))


def test_jobs_of_submitit_become_one_sweep(submitted: tuple[Path, int, str]) -> None:
    folder, status, output = submitted
    assert status == 1, output  # for the one that failed
    sweep = json.loads((sweep_in(folder) / "sweep.json").read_text())
    assert [point["status"] for point in sweep["points"]] == ["ok", "ok", "failed"]
    assert {point["host"] for point in sweep["points"]} == {socket.gethostname()}
    assert "no image could be processed" in sweep["points"][2]["error"]["message"]
    assert "1 of 3 points did not finish" in output
    assert "source.path=bad" in output
    assert (sweep_in(folder) / "comparison.md").is_file()


def test_jobs_on_one_host_are_measured_one_at_a_time(submitted: tuple[Path, int, str]) -> None:
    folder = sweep_in(submitted[0])
    assert not trials_overlap(folder)
    good, fair, bad = (record["trials"] for record in records_of(folder))
    assert [len(good), len(fair), len(bad)] == [6, 6, 1]  # what has failed is not tried again


def test_points_that_were_not_interleaved_get_no_verdict(program: Program) -> None:
    words = ("workers=1,2", "protocol.rounds=6", "tracking=none")
    answer = program("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", *SHORT, *words, "-m")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert {found["ratio"] for found in sweep["comparisons"]} == {None}
    assert "there is no verdict on thread-w2" in warnings_in(sweep)["not_interleaved"]
    assert "No verdicts" in answer.stdout


def test_their_runs_are_nested_in_one_in_mlflow(submitted: tuple[Path, int, str]) -> None:
    runs = runs_at(local_store(submitted[0]))
    (parent,) = (run for run in runs if "sweep.json" in run["artifacts"])
    points = [run for run in runs if run is not parent]
    assert len(points) == 3
    assert {run["tags"]["mlflow.parentRunId"] for run in points} == {parent["id"]}
    assert sorted(run["status"] for run in points) == ["FAILED", "FINISHED", "FINISHED"]


def test_a_sweep_of_jobs_is_brought_into_another_store_exactly_once(copied_jobs: Program) -> None:
    first, second = (copied_jobs("sync", "outputs") for _ in range(2))
    assert "4 runs written" in first.stdout, first.stdout + first.stderr
    assert "was there already" in second.stdout


@pytest.mark.parametrize(("name", "error"), [("SIGKILL", "JobLost"), ("SIGTERM", "Interrupted")])
def test_a_job_that_is_ended_is_told_of_and_a_resumed_sweep_runs_nothing_but_it(
    program: Program, name: str, error: str
) -> None:
    (program.folder / "deadly.py").write_text(
        "import pathlib, psutil, signal\n"
        "def once(data):\n"
        "    if not pathlib.Path('died').exists():\n"
        "        pathlib.Path('died').touch()\n"
        "        for parent in psutil.Process().parents():\n"
        "            if 'submitit.core._submit' in parent.cmdline():\n"
        f"                parent.send_signal(signal.{name})\n"
        "    return data\n"
        "def never(data):\n"
        "    return data\n"
    )
    words = ("task=function", "task.function=deadly:never,deadly:once", "mode=sequential", "images=4", "protocol=quick")
    answer = program("hydra/launcher=submitit_local", *words, "tracking=none", "-m")
    assert answer.returncode == 1
    assert "The launcher gave up" in answer.stderr
    assert "-m runner gather" in answer.stderr
    folder = sweep_in(program.folder)
    limit = time.monotonic() + 120
    while not done(folder / "0", rounds=3):  # it may still be running
        assert time.monotonic() < limit
        time.sleep(0.2)

    gathered = program("gather", str(folder))
    assert gathered.returncode == 1, gathered.stderr
    points = json.loads((folder / "sweep.json").read_text())["points"]
    assert [point["status"] for point in points] == ["ok", "killed"]
    assert points[1]["error"]["type"] == error
    assert points[1]["host"] is None
    before = (folder / "0" / "result.json").read_bytes()

    assert "without permission" in program(f"resume={folder}").stderr
    resumed = program(f"resume={folder}", "--allow", "import")  # the record names the code
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "submitit_local: 1 point;" in resumed.stdout
    assert [point["status"] for point in json.loads((folder / "sweep.json").read_text())["points"]] == ["ok", "ok"]
    assert (folder / "0" / "result.json").read_bytes() == before


def done(folder: Path, rounds: int) -> bool:
    try:
        return len(json.loads((folder / "result.json").read_text())["trials"]) == rounds
    except OSError:
        return False


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    """The address of a photograph, with a password in it."""
    photo(tmp_path / "served" / "a.jpg")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://ann:geheim7@127.0.0.1:{server.server_port}/a.jpg"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_no_launcher_leaves_a_password_anywhere(program: Program, guarded: str, launcher: str) -> None:
    words = ("source=url", f"source.url='{guarded}'", "workers=1,2", "protocol=quick", "protocol.rounds=1")
    answer = program(f"hydra/launcher={launcher}", *SHORT, *words, "-m")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    folder = sweep_in(program.folder)
    assert [point["status"] for point in json.loads((folder / "sweep.json").read_text())["points"]] == ["ok", "ok"]
    assert not trials_overlap(folder)
    assert "geheim7" not in answer.stdout + answer.stderr
    written = [path for path in (program.folder / "outputs").rglob("*") if path.is_file()]
    assert [path for path in written if b"geheim7" in path.read_bytes()] == []
