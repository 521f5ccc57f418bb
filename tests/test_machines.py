"""Sweeps whose points other launchers run: one at a time on a host, gathered into one sweep, with the host of each."""

from __future__ import annotations

import functools
import itertools
import json
import pickle
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.made_records import epoch, good_trial
from support.photos import photo
from support.program import Program
from support.stores import local_store, runs_at, sweep_in

from runner.analysis.verdicts import Side, compare_points
from runner.errors import ConfigurationError
from runner.host.lock import host_lock
from runner.sweep.gathering import sweep_begun_in

pytestmark = pytest.mark.slow

SHORT = ("task=pillow", "mode=thread", "images=4", "protocol.epochs=1", "protocol.warmup_epochs=0")


def records_of(folder: Path) -> list[Any]:
    return [
        json.loads((folder / point["folder"] / "result.json").read_text())
        for point in json.loads((folder / "sweep.json").read_text())["points"]
    ]


def trials_overlap(folder: Path) -> bool:
    """Whether two trials of different points ran at the same time."""
    spans = [(trial["started_at"], trial["ended_at"]) for record in records_of(folder) for trial in record["trials"]]
    return any(later < end for (_, end), (later, _) in itertools.pairwise(sorted(spans)))


def warnings_in(sweep: Any) -> dict[str, str]:
    return {warning["kind"]: warning["message"] for warning in sweep["warnings"]}


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder in which submitit's jobs have run a sweep of three points, of which one fails; exit status and output."""
    folder = tmp_path_factory.mktemp("submitted")
    photo(folder / "good" / "a.jpg")
    photo(folder / "fair" / "a.jpg")
    (folder / "bad").mkdir()
    (folder / "bad" / "a.jpg").write_bytes(b"no image")
    words = ("source=folder", "source.path=good,fair,bad", "workers=1", "protocol.rounds=6")
    answer = Program(folder)("hydra/launcher=submitit_local", *SHORT, *words, "-m")
    return folder, answer.returncode, answer.stdout + answer.stderr


@pytest.fixture
def copied(submitted: tuple[Path, int, str], program: Program) -> Program:
    """The program in a folder with a copy of what they recorded."""
    shutil.copytree(submitted[0] / "outputs", program.folder / "outputs", ignore=shutil.ignore_patterns("mlflow.db*"))
    return program


# ---------------------------------------------------------------------------------------------------------- submitit


def test_jobs_of_submitit_become_one_sweep(submitted: tuple[Path, int, str]) -> None:
    folder, status, output = submitted
    assert status == 1, output  # for the one that failed
    sweep = json.loads((sweep_in(folder) / "sweep.json").read_text())
    assert [point["status"] for point in sweep["points"]] == ["ok", "ok", "failed"]
    assert {point["host"] for point in sweep["points"]} == {socket.gethostname()}
    assert "no image could be processed" in sweep["points"][2]["error"]["message"]
    assert "3 points, medians over trials" in output
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


def test_a_sweep_of_jobs_is_brought_into_another_store_exactly_once(copied: Program) -> None:
    first, second = (copied("sync", "outputs") for _ in range(2))
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

    resumed = program(f"resume={folder}")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "submitit_local: 1 point;" in resumed.stdout
    assert [point["status"] for point in json.loads((folder / "sweep.json").read_text())["points"]] == ["ok", "ok"]
    assert (folder / "0" / "result.json").read_bytes() == before


def done(folder: Path, rounds: int) -> bool:
    try:
        return len(json.loads((folder / "result.json").read_text())["trials"]) == rounds
    except OSError:
        return False


# ------------------------------------------------------------------------------------------------------------ joblib


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


# ----------------------------------------------------------------------------------------------------- several hosts


def on_another_host(sweep: Path, number: int) -> None:
    """Have the record of a point say that it was measured on ``node-b``."""
    path = sweep / str(number) / "result.json"
    record = json.loads(path.read_text())
    record["environment"]["host"] = "node-b"
    path.write_text(json.dumps(record))


def test_points_of_two_hosts_get_no_verdict_and_all_say_where_they_come_from(copied: Program) -> None:
    folder = sweep_in(copied.folder)
    on_another_host(folder, 1)
    answer = copied("gather", str(folder))
    assert answer.returncode == 1  # for the one that failed
    sweep = json.loads((folder / "sweep.json").read_text())
    assert [point["host"] for point in sweep["points"]][:2] == [socket.gethostname(), "node-b"]
    assert {found["ratio"] for found in sweep["comparisons"]} == {None}
    message = warnings_in(sweep)["different_hosts"]
    assert "thread-w1 source.path=fair on node-b" in message
    assert message in (folder / "comparison.md").read_text()
    assert "│ node-b" in answer.stdout
    (parent,) = (run for run in runs_at(local_store(copied.folder)) if "sweep.json" in run["artifacts"])
    assert parent["tags"]["host"] == f"{socket.gethostname()}, node-b"
    compare = copied("compare", str(folder))
    assert "no verdict: they were measured on different hosts" in compare.stdout
    assert "thread-w1 source.path=fair on node-b" in compare.stdout


def test_a_ratio_across_hosts_is_given_where_it_is_asked_for_and_names_them(copied: Program) -> None:
    folder = sweep_in(copied.folder)
    on_another_host(folder, 1)
    answer = copied("gather", str(folder), "--compare-hosts")
    sweep = json.loads((folder / "sweep.json").read_text())
    (speed,) = (
        found for found in sweep["comparisons"] if found["metric"] == "images_per_s" and found["point"].endswith("path=fair")
    )
    assert (speed["n"], speed["low"], speed["verdict"]) == (
        1,
        None,
        "inconclusive",
    )  # one session on each host says nothing of the setting
    assert speed["hosts"] == ["node-b", socket.gethostname()]
    assert "compare_hosts asks" in answer.stdout
    compare = copied("compare", str(folder), "--compare-hosts")
    assert f", node-b against {socket.gethostname()}" in compare.stdout


def test_a_job_that_comes_back_goes_on_on_its_host_and_begins_anew_on_another(copied: Program) -> None:
    folder = sweep_in(copied.folder)
    on_another_host(folder, 1)
    here, elsewhere, _ = sweep_begun_in(folder).points
    here.restore_here()
    elsewhere.restore_here()
    assert [len(here.trials), len(elsewhere.trials)] == [6, 0]
    assert not list((folder / "1").glob("*.csv"))
    assert not (folder / "1" / "result.json").exists()


def side(label: str, host: str | None, rates: Sequence[float], session: str) -> Side:
    trials = [good_trial(round=number, session=session, epochs=[epoch(images_per_s=rate)]) for number, rate in enumerate(rates)]
    return Side(label, trials, host)


def test_equal_names_of_sessions_do_not_pair_trials_of_two_hosts() -> None:
    fast, slow = side("fast", "a", [30, 31, 30, 32, 31, 30, 31, 30], "s"), side("slow", "b", [10, 11, 10] * 2 + [11, 10], "s")
    assert compare_points([fast], slow)[0].ratio is None
    asked = compare_points([fast], slow, across_hosts=True)[0]
    assert (asked.verdict, asked.hosts) == ("inconclusive", ("a", "b"))
    assert asked.why == "1 session cannot tell setting from session, it takes 3"


def test_a_verdict_across_hosts_takes_three_sessions_on_each() -> None:
    def over(sessions: int, label: str, host: str, rate: float) -> Side:
        parts = [side(label, host, [rate + number, rate + number], f"{host}{number}") for number in range(sessions)]
        return Side(label, [trial for part in parts for trial in part.trials], host)

    asked = compare_points([over(3, "fast", "a", 30)], over(3, "slow", "b", 10), across_hosts=True)[0]
    assert (asked.verdict, asked.sessions, asked.why) == ("faster", 3, None)
    assert asked.ratio is not None
    assert asked.ratio.n == 3  # however many rounds a session has
    assert compare_points([over(2, "fast", "a", 30)], over(3, "slow", "b", 10), across_hosts=True)[0].why is not None


def test_to_ask_for_verdicts_across_hosts_gives_none_to_points_measured_apart_on_one() -> None:
    one, other = side("one", "a", [30] * 8, "first"), side("other", "a", [10] * 8, "second")
    assert compare_points([one], other, across_hosts=True)[0].ratio is None


# ------------------------------------------------------------------------------------------------------ before it starts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fail_fast=true",), "fail_fast=True: cannot be done with the launcher submitit_local"),
        (("hydra.launcher.tasks_per_node=2",), "hydra.launcher.tasks_per_node=2: would run each point as many times"),
        (("source=folder", "source.path=nowhere"), "source.path"),
    ],
)
def test_what_cannot_be_run_is_refused_before_a_job_is_submitted(
    program: Program, words: tuple[str, ...], message: str
) -> None:
    answer = program("hydra/launcher=submitit_local", *SHORT, *words, "workers=1,2", "-m")
    assert answer.returncode == 1
    assert message in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not list(program.folder.glob("outputs/sweeps/*/*"))


def test_an_error_of_a_job_comes_back_as_what_it_was() -> None:
    error = ConfigurationError("source.path", "nowhere", "is no folder", "a folder")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), str(again), again.key) == (ConfigurationError, str(error), "source.path")


def test_who_holds_the_hosts_lock_may_take_it_again() -> None:
    told: list[str] = []
    with host_lock(told.append, 60), host_lock(told.append, 60):
        pass
    assert len(told) <= 1  # somebody else's run, perhaps; not itself
