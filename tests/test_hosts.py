"""Points of several hosts: what gets a verdict, and what is refused beforehand."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.machines import SHORT, warnings_in
from support.made_records import epoch, good_trial
from support.program import Program
from support.stores import local_store, runs_at, sweep_in

from runner.analysis.verdicts import Side, compare_points
from runner.errors import ConfigurationError
from runner.host.lock import host_lock
from runner.pipeline.sources import Image
from runner.sweeps.gathering import sweep_begun_in
from runner.sweeps.resuming import resume

pytestmark = pytest.mark.slow


def on_another_host(sweep: Path, number: int) -> None:
    """Have the record of a point say that it was measured on ``node-b``."""
    path = sweep / str(number) / "result.json"
    record = json.loads(path.read_text())
    record["environment"]["host"] = "node-b"
    path.write_text(json.dumps(record))


def test_points_of_two_hosts_get_no_verdict_and_all_say_where_they_come_from(copied_jobs: Program) -> None:
    folder = sweep_in(copied_jobs.folder)
    on_another_host(folder, 1)
    answer = copied_jobs("gather", str(folder))
    assert answer.returncode == 1  # for the one that failed
    sweep = json.loads((folder / "sweep.json").read_text())
    assert [point["host"] for point in sweep["points"]][:2] == [socket.gethostname(), "node-b"]
    assert {found["ratio"] for found in sweep["comparisons"]} == {None}
    message = warnings_in(sweep)["different_hosts"]
    assert "thread-w1 source.path=fair on node-b" in message
    assert message in (folder / "comparison.md").read_text()
    assert "│ node-b" in answer.stdout
    (parent,) = (run for run in runs_at(local_store(copied_jobs.folder)) if "sweep.json" in run["artifacts"])
    assert parent["tags"]["host"] == f"{socket.gethostname()}, node-b"
    compare = copied_jobs("compare", str(folder))
    assert "no verdict: they were measured on different hosts" in compare.stdout
    assert "thread-w1 source.path=fair on node-b" in compare.stdout


def test_a_ratio_across_hosts_is_given_where_it_is_asked_for_and_names_them(copied_jobs: Program) -> None:
    folder = sweep_in(copied_jobs.folder)
    on_another_host(folder, 1)
    answer = copied_jobs("gather", str(folder), "--compare-hosts")
    sweep = json.loads((folder / "sweep.json").read_text())
    (speed,) = (
        found for found in sweep["comparisons"] if found["metric"] == "images_per_s" and found["point"].endswith("path=fair")
    )
    assert (speed["n"], speed["high"], speed["verdict"]) == (1, None, "inconclusive")  # one session says nothing of the setting
    assert speed["hosts"] == ["node-b", socket.gethostname()]
    assert "compare_hosts asks" in answer.stdout
    compare = copied_jobs("compare", str(folder), "--compare-hosts")
    assert f", node-b against {socket.gethostname()}" in compare.stdout


def test_a_job_that_comes_back_goes_on_on_its_host_and_begins_anew_on_another(copied_jobs: Program) -> None:
    folder = sweep_in(copied_jobs.folder)
    on_another_host(folder, 1)
    said: list[str] = []
    for number, kept in ((0, 3), (1, 0)):
        path = folder / str(number) / "result.json"
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "status": "running", "trials": record["trials"][:3]}))
        point = sweep_begun_in(folder).points[number]
        point.images = [
            Image(image["path"], "jpeg", image["width"], image["height"], image["sha256"]) for image in record["images"]
        ]
        resume([point], said.append)
        assert len(point.trials) == kept
    assert any("host was node-b" in line for line in said)
    assert {path.name for path in (folder / "1").iterdir()} == {".hydra", "runner.log", "set_aside"}
    aside = json.loads((folder / "1" / "set_aside" / "1" / "result.json").read_text())
    assert len(aside["trials"]) == 3


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fail_fast=true",), "fail_fast=True: cannot be done with the launcher submitit_local"),
        (("hydra.launcher.tasks_per_node=2",), "hydra.launcher.tasks_per_node=2: would run each point that many times"),
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
