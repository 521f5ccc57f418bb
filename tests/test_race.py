"""Races as they are run: who has the next round, when there is no next one, and what is known however it ends."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.composing import composed
from support.made_records import killed, result, timed_trial
from support.points import Prepared, Silent, point
from support.program import Program
from support.stores import sweep_in

from runner.commands.compare import not_comparable
from runner.config.options import Process, Protocol, Thread
from runner.errors import ConfigurationError
from runner.record.trial import TrialPlace
from runner.record.trial_schema import TrialRecord
from runner.sweeps.course import Course
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.sweeps.sweep import Sweep

RACE = Protocol(race=True, verdicts=False, self_check=False, epochs=1, max_rounds=40)

# Seconds of work of each point: threads are slower, and two processes are the best of these.
SECONDS = {"thread-w1": 2.0, "thread-w2": 1.5, "process-w1": 1.9, "process-w2": 1.0, "process-w4": 1.04}


def race_of(folder: Path, seconds: dict[str, float], protocol: Protocol = RACE, **changes: object) -> Sweep:
    points = []
    for name in seconds:
        mode, workers = name.split("-w")
        chosen = Process() if mode == "process" else Thread()
        points.append(point(folder / name, mode=chosen, workers=int(workers), protocol=protocol, **changes))
    return Sweep.of(points, folder)


class Measured:
    """Trials without a process: the seconds of each point with 3 % noise, the same for a round however often it is asked.

    Args:
        fails: the point whose trial of a round fails.
        stops: after so many trials the user presses Ctrl-C.
    """

    def __init__(self, seconds: dict[str, float], fails: tuple[str, int] | None = None, stops: float = math.inf) -> None:
        self.seconds, self.fails, self.stops = seconds, fails, stops
        self.done: list[tuple[int, str]] = []

    def __call__(self, one: Point, place: TrialPlace, *_: object) -> TrialRecord:
        if len(self.done) >= self.stops:
            raise KeyboardInterrupt
        noise = random.Random(f"{one.label}/{place.round}").gauss(0, 0.03)
        trial = timed_trial(place.round, self.seconds[one.label] * math.exp(noise))
        made: TrialRecord = killed(trial) if self.fails == (one.label, place.round) else trial
        one.trials.append(made)
        self.done.append((place.round, one.label))
        return made

    def of_round(self, number: int) -> set[str]:
        return {label for at, label in self.done if at == number}


def run(sweep: Sweep, measure: Measured, said: list[str] | None = None) -> Sweep:
    course = Course(sweep, (said if said is not None else []).append)
    session = Session(list(sweep.points), 0, Silent(), Prepared(), course=course, measure=measure, identity="a")
    session.run()
    sweep.conclude()
    return sweep


def test_points_that_are_proven_to_be_worse_have_no_more_trials_and_the_best_is_known(tmp_path: Path) -> None:
    said: list[str] = []
    measure = Measured(SECONDS)
    record = run(race_of(tmp_path, SECONDS), measure, said).record()
    answer, ranking, looks = record["answer"], record["ranking"], record["race"]
    assert answer is not None
    assert answer["best"] == "process-w2"
    assert answer["proven"]
    assert (answer["bound_pct"] or 0) <= 5
    for number, look in enumerate(looks[:-1]):
        assert measure.of_round(number + 1) == set(look["in"])
    assert measure.of_round(len(looks)) == set()  # it was over
    out = {one["point"]: one["out_in_round"] for one in ranking}
    assert [ranking[0]["point"], ranking[0]["state"]] == ["process-w2", "leader"]
    assert out["thread-w1"] is not None
    assert len(looks) > (out["thread-w1"] or 0)
    assert len(measure.of_round(0)) == 5
    assert len(said) == len(looks)


def test_the_leader_is_compared_with_the_best_of_the_other_mode(tmp_path: Path) -> None:
    answer = run(race_of(tmp_path, SECONDS), Measured(SECONDS)).record()["answer"]
    assert answer is not None
    assert "times [1." in answer["text"]
    assert "as fast as thread × 2, the best with thread, with about the same CPU time an image" in answer["text"]


def test_a_race_of_equals_ends_at_its_most_rounds_and_says_how_much_is_open(tmp_path: Path) -> None:
    seconds = {"thread-w1": 1.0, "thread-w2": 1.0}
    protocol = Protocol(race=True, verdicts=False, epochs=1, max_rounds=3)
    sweep = run(race_of(tmp_path, seconds, protocol), measure := Measured(seconds))
    answer = sweep.record()["answer"]
    assert answer is not None
    assert not answer["proven"]
    assert max(number for number, _ in measure.done) == 2
    assert {one.status for one in sweep.points} == {"ok"}


def test_a_budget_ends_a_race_within_a_round(tmp_path: Path) -> None:
    protocol = Protocol(race=True, verdicts=False, epochs=1, budget_s=14)  # each trial says that it took 2 s
    sweep = run(race_of(tmp_path, SECONDS, protocol), measure := Measured(SECONDS))
    assert len(measure.done) == 7
    assert {one.status for one in sweep.points} == {"ok"}
    assert sweep.record()["answer"] is not None


def test_what_is_known_is_on_disk_after_each_round_and_a_race_goes_on_in_the_middle(tmp_path: Path) -> None:
    whole = Measured(SECONDS)
    run(race_of(tmp_path / "whole", SECONDS), whole)
    broken = race_of(tmp_path / "broken", SECONDS)
    first = Measured(SECONDS, stops=len(whole.done) - 3)
    with pytest.raises(KeyboardInterrupt):
        run(broken, first)
    record = json.loads((tmp_path / "broken" / "sweep.json").read_text())
    assert record["answer"]["best"] == "process-w2"
    assert record["race"]
    interrupted = {one.label for one in broken.points if one.interrupted}
    assert "process-w2" in interrupted
    assert interrupted <= set(record["race"][-1]["in"])  # what has dropped out is complete
    for one in broken.points:
        one.interrupted = False
    resumed = Sweep.of(broken.points, broken.folder).record()  # what it writes first
    assert resumed["answer"] is not None
    assert resumed["race"][: len(record["race"])] == record["race"]
    second = Measured(SECONDS)
    answer = run(broken, second).record()["answer"]
    assert first.done + second.done == whole.done
    assert answer is not None
    assert answer["proven"]


def test_a_named_baseline_stays_in(tmp_path: Path) -> None:
    measure = Measured(SECONDS)
    sweep = run(race_of(tmp_path, SECONDS, baseline="thread-w1"), measure)
    rounds = max(number for number, _ in measure.done) + 1
    assert rounds > 2
    assert all("thread-w1" in measure.of_round(number) for number in range(rounds))
    answer = sweep.record()["answer"]
    assert answer is not None
    assert "as fast as thread × 1," in answer["text"]


def test_a_point_that_fails_is_no_rival_and_the_others_go_on(tmp_path: Path) -> None:
    measure = Measured(SECONDS, fails=("process-w2", 1))
    answer = run(race_of(tmp_path, SECONDS), measure).record()["answer"]
    assert answer is not None
    assert answer["best"] == "process-w4"
    assert "process × 2" in answer["text"]
    assert [number for number, label in measure.done if label == "process-w2"] == [0, 1]


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["protocol=race", "protocol.verdicts=true"], "protocol.verdicts"),
        (["protocol=race", "protocol.precision=0.02"], "protocol.precision"),
        (["protocol=standard", "protocol.budget_s=60"], "protocol.budget_s"),
    ],
)
def test_what_does_not_go_with_a_race_is_refused(words: Sequence[str], key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        composed(*words)


def test_another_launcher_cannot_race_and_says_so(program: Program) -> None:
    words = ["mode=thread", "workers=1,2", "images=2", "task=pillow", "protocol=race", "tracking=none"]
    answer = program("hydra/launcher=joblib", *words, "-m")
    assert answer.returncode == 1
    assert "protocol.race" in answer.stderr
    assert "hydra/launcher=rounds" in answer.stderr


def test_a_real_race_ends_with_its_answer(program: Program) -> None:
    words = ["mode=sequential", "workers=1", "images=2", "task=pillow", "task.size=8,1500", "monitor=off", "tracking=none"]
    answer = program(*words, "protocol=race", "-m")
    assert answer.returncode == 0, answer.stderr
    record = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert record["answer"]["best"] == "sequential task.size=8"
    assert record["answer"]["proven"]
    assert record["answer"]["text"] in answer.stdout
    assert [one["state"] for one in record["ranking"]] == ["leader", "out"]
    report = (sweep_in(program.folder) / "report.html").read_text()
    assert "The race" in report


def test_two_points_of_a_race_get_no_verdict_of_fixed_rounds() -> None:
    one = result(
        metrics={"images_per_s": {"value": 1.0, "low": None, "high": None, "n": 1}}, config={"protocol": {"race": True}}
    )
    reason = not_comparable(one, one)
    assert reason is not None
    assert reason.startswith("they raced")
