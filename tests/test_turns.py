"""Points of one sweep, each in a process of its own on this host, take turns."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from runner import turns
from runner.host_lock import host_lock
from runner.turns import Turns, forget_turns

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Measured:
    """A trial of a member."""

    point: str
    round: int
    session: str
    order: int
    began: float
    ended: float


def member(sweep: Path, point: str, rounds: Sequence[int], trial_s: float, words: dict[str, Any]) -> None:
    """A job: one trial in each of these rounds, told in a file of its own."""
    for name, value in words.items():
        setattr(turns, name, value)
    with Turns(sweep, point, len(rounds), lambda _: None) as part, (sweep / f"{point}.jsonl").open("a") as told:
        for number in rounds:
            with part.turn(number) as turn:
                began = time.time()
                time.sleep(trial_s)
                line = [point, number, turn.session, turn.order, began, time.time()]
            print(json.dumps(line), file=told, flush=True)


Start = Callable[..., BaseProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a member; all are gone in the end."""
    processes = []

    def started(
        point: str, rounds: int = 4, *, first: int = 0, trial_s: float = 0.02, sweep: Path = tmp_path, **words: Any
    ) -> BaseProcess:
        sweep.mkdir(exist_ok=True)
        process = SPAWN.Process(target=member, args=(sweep, point, range(first, rounds), trial_s, words))
        process.start()
        processes.append(process)
        return process

    yield started
    for process in processes:
        process.kill()
        process.join()


def trials_in(sweep: Path) -> list[Measured]:
    """In the order in which they were measured."""
    lines = [line for path in sweep.glob("*.jsonl") for line in path.read_text().splitlines()]
    return sorted((Measured(*json.loads(line)) for line in lines), key=lambda trial: trial.began)


def eventually(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def members_in(sweep: Path) -> set[str]:
    try:
        return set(json.loads(next(sweep.glob(".turns/*/table.json")).read_text())["members"])
    except (StopIteration, ValueError):
        return set()


def ended(*processes: BaseProcess) -> None:
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


def test_jobs_that_start_together_are_interleaved_in_rounds_of_one_session(start: Start, tmp_path: Path) -> None:
    ended(*[start(point) for point in "abc"])
    trials = trials_in(tmp_path)
    assert [trial.round for trial in trials] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert [trial.order for trial in trials] == [0, 1, 2] * 4
    assert len({trial.session for trial in trials}) == 1
    assert all(one.ended <= other.began for one, other in itertools.pairwise(trials))
    orders = ["".join(trial.point for trial in trials[place : place + 3]) for place in range(0, 12, 3)]
    assert {"".join(sorted(order)) for order in orders} == {"abc"}


def test_the_order_of_points_differs_from_round_to_round(start: Start, tmp_path: Path) -> None:
    ended(*[start(point, 8, trial_s=0.0, _LOOK_S=0.01) for point in "ab"])
    firsts = [trial.point for trial in trials_in(tmp_path)[::2]]
    assert set(firsts) == {"a", "b"}


def test_a_job_that_comes_late_is_paired_from_where_it_has_caught_up(start: Start, tmp_path: Path) -> None:
    early = [start(point, 40, trial_s=0.1, _LOOK_S=0.02) for point in "ab"]
    eventually(lambda: len(trials_in(tmp_path)) > 8)
    ended(start("late", 40, trial_s=0.02, _LOOK_S=0.02), *early)
    by_round = defaultdict(dict)
    for trial in trials_in(tmp_path):
        by_round[trial.round][trial.point] = trial
    joined = min(trial.began for trial in trials_in(tmp_path) if trial.point == "late")
    before = [number for number, found in by_round.items() if max(found["a"].began, found["b"].began) < joined]
    assert before
    assert all(by_round[number]["late"].session != by_round[number][point].session for number in before for point in "ab")
    (last,) = {trial.session for trial in by_round[39].values()}
    together = [number for number, found in by_round.items() if {trial.session for trial in found.values()} == {last}]
    assert together == list(range(together[0], 40))
    assert together[0] <= max(before) + 3


def test_a_job_that_is_killed_is_waited_for_no_more(start: Start, tmp_path: Path) -> None:
    stuck = start("stuck", trial_s=600, _CHECK_S=0.5)
    eventually(lambda: members_in(tmp_path) == {"stuck"})
    other = start("other", first=1, _CHECK_S=0.5)
    eventually(lambda: members_in(tmp_path) == {"stuck", "other"})
    time.sleep(turns.SETTLE_S + 1)  # it is in its trial by now
    assert trials_in(tmp_path) == []
    stuck.kill()
    ended(other)
    with host_lock(pytest.fail):  # nor does the host belong to it any more
        pass
    assert {trial.point for trial in trials_in(tmp_path)} == {"other"}
    assert members_in(tmp_path) == set()


def test_trials_with_a_gap_between_them_are_of_two_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SETTLE_S", 0.0)
    with Turns(tmp_path, "a", 4, lambda _: None) as part:
        sessions = []
        for number, ago_s in enumerate((0.0, 1.0, turns.GAP_S + 1, -1.0)):  # the last: a clock that was set back
            path = next(tmp_path.glob(".turns/*/table.json"))
            table = json.loads(path.read_text())
            path.write_text(json.dumps(table | {"ended_at": time.time() - ago_s}))
            with part.turn(number) as turn:
                sessions.append(turn.session)
    assert sessions[0] == sessions[1]
    assert len(set(sessions)) == 3


def test_only_so_many_take_turns_and_others_wait_for_a_seat(start: Start, tmp_path: Path) -> None:
    first = [start(point, trial_s=0.3, SEATS=2) for point in "ab"]
    eventually(lambda: members_in(tmp_path) == {"a", "b"})
    third = start("c", SEATS=2)
    ended(*first, third)
    trials = trials_in(tmp_path)
    end_of_first = max(trial.ended for trial in trials if trial.point != "c")
    assert min(trial.began for trial in trials if trial.point == "c") >= end_of_first


def test_who_comes_when_most_is_done_begins_with_the_next(start: Start, tmp_path: Path) -> None:
    first = start("first", trial_s=0.5)
    eventually(lambda: len(trials_in(tmp_path)) >= 3)
    ended(*[start(point) for point in "ab"], first)
    trials = trials_in(tmp_path)
    assert {trial.point for trial in trials[:4]} == {"first"}
    assert len({trial.session for trial in trials[4:]}) == 1
    assert [trial.round for trial in trials[4:]] == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_point_that_is_resumed_while_its_job_still_runs_is_measured_after_it(start: Start, tmp_path: Path) -> None:
    once = start("a", trial_s=0.3)
    eventually(lambda: len(trials_in(tmp_path)) >= 1)
    ended(once, start("a"))
    assert [trial.round for trial in trials_in(tmp_path)] == [0, 1, 2, 3] * 2


def test_who_leaves_in_the_middle_of_a_turn_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SETTLE_S", 0.0)
    with Turns(tmp_path, "a", 4, lambda _: None) as part:
        with pytest.raises(KeyboardInterrupt), part.turn(0):
            raise KeyboardInterrupt
        part._begin(1)
        part.leave()
    with Turns(tmp_path, "b", 4, lambda _: None) as other, other.turn(0):
        assert members_in(tmp_path) == {"b"}


def test_a_member_that_the_others_have_lost_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "SETTLE_S", 0.0)
    with Turns(tmp_path, "a", 4, lambda _: None) as part:
        next(tmp_path.glob(".turns/*/table.json")).unlink()
        with part.turn(0):
            assert members_in(tmp_path) == {"a"}


def test_nothing_is_forgotten_while_a_job_still_runs(tmp_path: Path) -> None:
    with Turns(tmp_path, "a", 4, lambda _: None):
        forget_turns(tmp_path)
        assert members_in(tmp_path) == {"a"}
    forget_turns(tmp_path)
    assert not (tmp_path / ".turns").exists()


def test_between_its_turns_a_sweep_keeps_the_host(start: Start, tmp_path: Path) -> None:
    """Neither another sweep of jobs nor a run by itself comes in between."""
    first = [start(point, trial_s=0.2, sweep=tmp_path / "first") for point in "ab"]
    eventually(lambda: members_in(tmp_path / "first") == {"a", "b"})
    second = start("c", sweep=tmp_path / "second")
    told: list[str] = []
    with host_lock(told.append):
        alone = time.time()
    ended(*first, second)
    assert any("takes turns on this host" in message for message in told)
    end = max(trial.ended for trial in trials_in(tmp_path / "first"))
    assert len({trial.session for trial in trials_in(tmp_path / "first")}) == 1
    assert alone >= end
    assert min(trial.began for trial in trials_in(tmp_path / "second")) >= end
