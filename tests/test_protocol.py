"""Sweeps as a user has them: verdicts, interruptions, resumption, and who may measure when."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.composing import composed
from support.made_records import timed_trial
from support.points import Prepared, Silent, point
from support.program import Program, processes_of
from support.stores import local_store, runs_at, sweep_in

from runner.analysis.statistics import paired_ratio
from runner.analysis.stopping import LEAST_ROUNDS, ROUNDS_TO_PROVE, expected_rounds, least_rounds, own_half_width
from runner.analysis.verdicts import verdict_on
from runner.analysis.warnings import of_point
from runner.config.options import Process, Protocol
from runner.errors import ConfigurationError
from runner.record.trial import TrialPlace
from runner.record.trial_schema import GoodTrial
from runner.sweep.labels import label_points
from runner.sweep.point import Point
from runner.sweep.session import Session
from runner.sweep.sweep import chosen_baseline
from runner.trial.supervisor import Supervisor

# Two points that cost little, so that a test can have many rounds.
SMALL = ["mode=sequential", "workers=1", "images=2", "task=pillow", "task.size=8,9", "protocol.epochs=2", "monitor=off", "-m"]


def wait_for(what: str, condition: Any, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < limit, f"{what} did not come"
        assert process.poll() is None, f"the program ended before {what}"
        time.sleep(0.02)


def trials_on_disk(folder: Path) -> dict[str, list[Any]]:
    found = {}
    for path in folder.glob("outputs/sweeps/*/*/*/result.json"):
        found[path.parent.name] = json.loads(path.read_text())["trials"]
    return found


def started(program: Program, marker: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        program.command(*words), cwd=program.folder, env=os.environ | {"TEST_MARKER": marker},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize("points", [2, 20, 120])
def test_as_many_rounds_can_prove_something_however_many_points_there_are(points: int) -> None:
    alike = [0.5] * ROUNDS_TO_PROVE  # the same large difference in every round
    assert verdict_on(paired_ratio(alike, points - 1), more_is_better=True) == "faster"
    assert verdict_on(paired_ratio(alike[1:], points - 1), more_is_better=True) == "inconclusive"
    assert ROUNDS_TO_PROVE <= LEAST_ROUNDS  # rigorous never ends before a proof can exist


def test_a_sweep_that_cannot_prove_anything_says_so_before_it_starts(program: Program) -> None:
    words = [
        "mode=sequential,thread,process",
        "workers=1",
        "images=1",
        "protocol.rounds=5",
        "protocol.epochs=1",
        "tracking=none",
    ]
    answer = program(*words, "protocol.self_check=false", "-m")
    assert answer.returncode == 0, answer.stderr
    said = "5 rounds cannot prove a difference from the baseline"
    assert answer.stdout.index(said) < answer.stdout.index("3 points, medians")
    (sweep,) = program.folder.glob("outputs/sweeps/*/*/sweep.json")
    (warning,) = (found for found in json.loads(sweep.read_text())["warnings"] if found["kind"] == "too_few_rounds")
    assert warning["advice"].startswith("protocol.rounds=6")


def test_a_sweep_gives_verdicts_and_its_noise(program: Program) -> None:
    answer = program(
        "mode=sequential", "images=6", "task.size=8,1500", "protocol.rounds=8", "protocol.epochs=3", "tracking=none", "-m"
    )
    assert answer.returncode == 0, answer.stderr
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert [comparison["metric"] for comparison in sweep["comparisons"]] == [
        "images_per_s", "startup_s", "cpu_s_per_image", "peak_memory_mb",
    ]  # fmt: skip
    speed, _, cpu, _ = sweep["comparisons"]
    assert speed["baseline"] == "sequential task.size=8"
    assert speed["point"] == "sequential task.size=1500"
    assert speed["verdict"] == "slower"
    assert cpu["verdict"] == "slower"
    assert speed["low"] < speed["ratio"] < speed["high"] < 1
    assert speed["n"] == 8
    assert sweep["self_check"]["point"] == "self_check"
    assert sweep["self_check"]["n"] == 8
    assert "sanity check" in answer.stdout
    assert sweep["answer"]["best"] == "sequential task.size=8"
    assert [one["state"] for one in sweep["ranking"]] == ["leader", "out"]
    assert sweep["detectable_pct"] > 0
    assert "slower" in answer.stdout
    markdown = (sweep_in(program.folder) / "comparison.md").read_text()
    assert "| sequential task.size=1500 | images a second |" in markdown
    compare = [
        sys.executable,
        "-m",
        "runner",
        "compare",
        str(sweep_in(program.folder)),
        "--baseline",
        "sequential task.size=1500",
    ]
    again = subprocess.run(compare, capture_output=True, text=True, timeout=60, check=True)
    assert "faster" in again.stdout
    folder = sweep_in(program.folder)
    refused = subprocess.run([*compare[:4], str(folder / "nowhere")], capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert "holds no record" in refused.stderr


def test_points_that_were_not_interleaved_get_no_verdict(tmp_path: Path, supervisor: Supervisor) -> None:
    from runner.commands.compare import compare, read_points

    for name in ("one", "two"):
        subject = point(tmp_path / name)
        session = Session([subject], 0, Silent(), supervisor)
        session._block = name  # two sessions, though within a second
        session.run()
    points = read_points([tmp_path / "one", tmp_path / "two"])
    rows = compare(points, points[0])
    assert {row["verdict"].partition(":")[0] for row in rows} == {"no verdict"}
    assert "not interleaved" in rows[0]["verdict"]
    assert rows[0]["ratio"].endswith(" x")


def test_quick_and_once_give_no_verdicts_and_say_so(program: Program) -> None:
    answer = program(*SMALL, "protocol=once", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert sweep["comparisons"] == []
    assert sweep["self_check"] is None
    assert "No verdicts" in answer.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_is_closed_and_can_be_resumed(program: Program, marker: str, number: signal.Signals) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=12", "protocol.self_check=false")
    wait_for("the third round", lambda: sum(map(len, trials_on_disk(program.folder).values())) >= 5, process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert processes_of(marker) == []
    before = trials_on_disk(program.folder)
    done = sum(map(len, before.values()))
    assert 5 <= done < 24
    folder = sweep_in(program.folder)
    sweep = json.loads((folder / "sweep.json").read_text())
    assert "killed" in {one["status"] for one in sweep["points"]}
    assert "KILLED" in {run["status"] for run in runs_at(local_store(program.folder))}

    answer = program(f"resume={folder.relative_to(program.folder)}")
    assert answer.returncode == 0, answer.stderr
    after = trials_on_disk(program.folder)
    for name, trials in after.items():
        assert trials[: len(before[name])] == before[name]
        assert [trial["round"] for trial in trials] == list(range(12))
    assert len({trial["session"] for trials in after.values() for trial in trials}) == 2
    sweep = json.loads((folder / "sweep.json").read_text())
    assert {one["status"] for one in sweep["points"]} == {"ok"}
    assert sweep["comparisons"][0]["n"] in {11, 12}
    assert {run["status"] for run in runs_at(local_store(program.folder))} == {"FINISHED"}


def test_a_killed_conductor_loses_the_trial_in_flight_and_no_other(program: Program, marker: str) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=5", "tracking=none", "protocol.self_check=true")
    wait_for("some trials", lambda: sum(map(len, trials_on_disk(program.folder).values())) >= 4, process)
    process.kill()
    process.communicate()
    before = trials_on_disk(program.folder)
    assert sum(map(len, before.values())) >= 4
    (folder,) = program.folder.glob("outputs/sweeps/*/*")
    answer = program(f"resume={folder}")
    assert answer.returncode == 0, answer.stderr
    after = trials_on_disk(program.folder)
    assert set(after) == {"0", "1", "self_check"}
    for name, trials in after.items():
        assert len(trials) == 6
        assert trials[: len(before.get(name, []))] == before.get(name, [])


@pytest.mark.parametrize("words", [["resume=nowhere"], ["resume=.", "workers=2"]])
def test_resume_refuses_what_is_no_sweep_of_its_own(program: Program, words: list[str]) -> None:
    answer = program(*words)
    assert answer.returncode == 1
    assert answer.stderr.startswith("resume=")
    assert len(answer.stderr.strip().splitlines()) == 2


def test_fail_fast_ends_the_sweep_at_the_first_failure(program: Program) -> None:
    (program.folder / "bad.jpg").write_bytes(b"no image")
    answer = program(
        "mode=sequential",
        "source=file",
        "source.path=bad.jpg",
        "task=pillow",
        "task.size=8,9",
        "fail_fast=true",
        "tracking=none",
        "-m",
    )
    assert answer.returncode == 1
    trials = trials_on_disk(program.folder)
    assert sum(map(len, trials.values())) == 1


def test_two_programs_do_not_measure_at_the_same_time(program: Program, marker: str) -> None:
    first = started(program, marker, "mode=sequential", "images=200000", "protocol=once", "tracking=none")
    wait_for("the trial", lambda: list(program.folder.glob("outputs/runs/*/*/runner.log")), first)
    second = started(program, marker, "mode=sequential", "images=1", "protocol=once", "tracking=none")
    assert second.stderr is not None
    said = b""
    while b"another run is measuring on this host" not in said:
        line = second.stderr.readline()
        assert line, said
        said += line
    while str(first.pid).encode() not in said:
        said += second.stderr.readline()
    assert second.poll() is None
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=60)
    second.communicate(timeout=120)
    assert second.returncode == 0


def test_hydras_own_launcher_works_point_by_point(program: Program) -> None:
    answer = program(*SMALL, "hydra/launcher=basic", "protocol=once", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    assert {len(trials) for trials in trials_on_disk(program.folder).values()} == {1}


def test_a_baseline_is_chosen_by_name_or_number(tmp_path: Path) -> None:
    points = [point(tmp_path / str(workers), workers=workers) for workers in (1, 2, 3)]
    assert chosen_baseline(points) is points[0]
    for wanted in ("thread-w2", "1"):
        points[0].config.baseline = wanted
        assert chosen_baseline(points) is points[1]
    points[0].config.baseline = "thread-w9"
    with pytest.raises(ConfigurationError, match="thread-w1, thread-w2, thread-w3"):
        chosen_baseline(points)


def test_points_of_one_name_are_told_apart_by_what_varies(tmp_path: Path) -> None:
    points = [point(tmp_path / str(size)) for size in (8, 9)]
    for one, size in zip(points, (8, 9), strict=True):
        one.overrides = ["mode=thread", "images=6", f"task.size={size}"]
    label_points(points)
    assert [one.label for one in points] == ["thread-w2 task.size=8", "thread-w2 task.size=9"]


class Counting(Silent):
    def __init__(self) -> None:
        self.rounds: list[int] = []

    def trial_starts(self, name: str, number: int, left: int, *, epochs: int, images: int) -> None:
        self.rounds.append(number)


def test_rounds_go_on_until_they_are_precise_enough_or_too_many(tmp_path: Path) -> None:
    """No trial is run: what is looked at is how many would have been, for speeds that scatter more or less."""
    for scatter, expected in ((0.0001, 8), (0.5, 13)):
        subject = point(tmp_path / str(scatter), protocol=Protocol(rounds=3, precision=0.02, max_rounds=13))
        counting = Counting()
        half_width = functools.partial(own_half_width, subject.trials)
        Session([subject], 0, counting, Prepared(), half_width=half_width, measure=functools.partial(_pretended, scatter)).run()
        assert counting.rounds == list(range(expected))


@pytest.mark.parametrize(
    ("protocol", "least"),
    [
        (Protocol(rounds=20), 20),
        (Protocol(rounds=3, precision=0.02), 8),
        (Protocol(rounds=20, precision=0.02), 20),
        (Protocol(rounds=3, precision=0.02, max_rounds=5), 5),
    ],
)
def test_a_precision_takes_eight_rounds_at_least_and_max_rounds_at_most(protocol: Protocol, least: int) -> None:
    assert least_rounds(protocol) == least


def test_what_is_left_of_a_sweep_follows_from_how_wide_its_intervals_are() -> None:
    protocol = Protocol(rounds=8, precision=0.02, max_rounds=60)
    assert [expected_rounds(protocol, done, widest) for done, widest in ((3, None), (8, 0.04), (8, 0.5), (30, 0.01))] == [
        8,
        32,
        60,
        30,
    ]


def test_fewer_rounds_at_most_than_rounds_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"protocol\.max_rounds=5: is less than protocol\.rounds=8"):
        composed("protocol=rigorous", "protocol.max_rounds=5")


def test_two_sweeps_have_two_orders_of_trials_and_a_resumed_one_has_its_own(tmp_path: Path) -> None:
    points = [point(tmp_path / str(number)) for number in range(6)]

    def order(identity: str) -> list[str]:
        for number, one in enumerate(points):
            one.label, one.trials = str(number), []
        seen: list[str] = []

        def measure(one: Point, place: TrialPlace, *_: object) -> GoodTrial:
            seen.append(one.label)
            return _pretended(0.0, one, place)

        Session(points, 0, Silent(), Prepared(), measure=measure, identity=identity).run()
        return seen

    assert order("one") == order("one")
    assert order("one") != order("another")


def _pretended(scatter: float, one: Point, place: TrialPlace, *_: object) -> GoodTrial:
    made = timed_trial(place.round, 1.0 + scatter * (place.round % 2))
    one.trials.append(made)
    return made


def test_warnings_say_what_to_change(tmp_path: Path, supervisor: Supervisor) -> None:
    subject = point(tmp_path / "point", workers=9, protocol=Protocol(rounds=2, epochs=2, warmup_epochs=0))
    subject.config.images = 1
    Session([subject], 0, Silent(), supervisor).run()
    found = {warning.kind: warning for warning in of_point(subject.facts())}
    assert {"short_epoch", "few_rounds", "oversubscribed", "slow_first_epoch"} <= set(found)
    assert "times the images" in found["short_epoch"].advice
    assert "9 workers' threads share" in found["oversubscribed"].message
    assert "warmup_epochs" in found["slow_first_epoch"].advice
    record = json.loads((subject.folder / "result.json").read_text())
    assert {"short_epoch", "few_rounds"} <= {warning["kind"] for warning in record["warnings"]}


@pytest.mark.parametrize("objective", ["images_per_s", "startup_s"])
def test_a_sweeper_that_chooses_as_it_goes_is_told_the_objective(program: Program, objective: str) -> None:
    plugins = str(Path(__file__).parent / "plugins")
    words = ["mode=sequential", "task=pillow", "images=2", "protocol=once", "tracking=none", f"objective={objective}"]
    answer = program.cold("-m", "hydra/sweeper=one_by_one", *words, PYTHONPATH=plugins)
    assert answer.returncode == 0, answer.stderr
    told = json.loads((program.folder / "told.json").read_text())
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert told == [one["metrics"][objective]["value"] for one in sweep["points"]]
    assert len(told) == 3


def test_kills_at_random_moments_leave_a_typed_record_and_nothing_else(tmp_path: Path, supervisor: Supervisor) -> None:
    """Twelve trials, each with its own process or one of its workers killed at a moment that nobody has chosen."""
    draw = random.Random(5)
    seen = []
    for turn in range(12):
        subject = point(tmp_path / str(turn), mode=Process(), workers=3, protocol=Protocol(rounds=1, epochs=3, warmup_epochs=1))
        subject.config.images = 60
        killer = Killer(draw.random() * 0.9, whom=draw.randrange(3))
        Session([subject], 0, killer, supervisor).run()
        killer.join()
        record = json.loads((subject.folder / "result.json").read_text())
        assert record["status"] in {"ok", "killed"}
        assert (record["error"] is None) == (record["status"] == "ok")
        assert len(record["trials"]) == 1
        assert [pid for pid in killer.pids if alive(pid)] == []
        seen.append(record["status"])
    assert seen.count("killed") >= 6


class Killer(Silent):
    """Kills one of a trial's processes so many seconds after it has told of itself."""

    def __init__(self, delay_s: float, whom: int) -> None:
        self.pids: set[int] = set()
        self._whom = whom
        self._timer = threading.Timer(delay_s, self._kill)

    def event(self, event: object) -> None:
        self.pids |= set(getattr(event, "pids", ()))
        if getattr(event, "name", "") == "import":
            self._timer.start()

    def _kill(self) -> None:
        victims = sorted(self.pids)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(victims[self._whom % len(victims)]).kill()

    def join(self) -> None:
        self._timer.join()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("seed", range(3))
def test_a_conductor_killed_at_a_random_moment_leaves_whole_records(program: Program, marker: str, seed: int) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=50", "protocol.self_check=false")
    wait_for("a first trial", lambda: trials_on_disk(program.folder), process)
    time.sleep(random.Random(seed).random() * 3)
    process.kill()
    process.communicate()
    assert all(trial["status"] == "ok" for trials in trials_on_disk(program.folder).values() for trial in trials)
    assert not (program.folder / "outputs" / "mlflow.db").exists()  # MLflow hears of a sweep when it is over
    limit = time.monotonic() + 20
    while processes_of(marker):
        assert time.monotonic() < limit
        time.sleep(0.05)
