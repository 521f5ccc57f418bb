"""Who measures when: launchers, sweepers, precision."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.composing import composed
from support.made_records import timed_trial
from support.points import Prepared, Silent, point
from support.program import Program
from support.protocol import SMALL, started, trials_on_disk, wait_for
from support.stores import sweep_in

from runner.analysis.stopping import expected_rounds, least_rounds, own_half_width
from runner.analysis.warnings import of_point
from runner.config.options import Protocol
from runner.errors import ConfigurationError
from runner.record.trial import TrialPlace
from runner.record.trial_schema import GoodTrial
from runner.sweeps.labels import chosen_baseline, label_points
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


def test_two_programs_do_not_measure_at_the_same_time(program: Program, marker: str) -> None:
    first = started(program, marker, "mode=sequential", "images=20000", "protocol=once", "tracking=none", *program.slow_words())
    wait_for("the trial", lambda: list(program.folder.glob("outputs/runs/*/*/runner.log")), first)
    second = started(program, marker, "mode=sequential", "images=1", "protocol=once", "tracking=none", "task=pillow")
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


def test_between_rounds_others_may_measure_for_as_long_as_is_asked(tmp_path: Path) -> None:
    subject = point(tmp_path / "a", protocol=Protocol(rounds=3, pause_s=60))
    waits: list[tuple[float, int]] = []

    def wait(seconds: float) -> None:
        another = "from runner.host.lock import host_lock\nwith host_lock(print, 0): pass"
        assert subprocess.run([sys.executable, "-c", another], check=False).returncode == 0
        waits.append((seconds, len(subject.trials)))

    Session([subject], 0, Counting(), Prepared(), measure=functools.partial(_pretended, 0.0), wait=wait).run()
    assert waits == [(60, 1), (60, 2)]


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
    for trial in subject.trials:
        for epoch, work_s in zip(trial["epochs"], (0.04, 0.02), strict=True):  # whatever this machine was busy with
            epoch["work_s"] = work_s
    found = {warning.kind: warning for warning in of_point(subject.facts())}
    assert {"short_epoch", "few_rounds", "oversubscribed", "slow_first_epoch"} <= set(found)
    assert "times the images" in found["short_epoch"].advice
    assert "9 workers' threads share" in found["oversubscribed"].message
    assert "warmup_epochs" in found["slow_first_epoch"].advice
    assert {"short_epoch", "few_rounds"} <= {warning["kind"] for warning in subject.record()["warnings"]}


@pytest.mark.parametrize("objective", ["images_per_s", "startup_s", "[images_per_s,peak_memory_mb]"])
def test_a_sweeper_that_chooses_as_it_goes_is_told_the_objective(program: Program, objective: str) -> None:
    plugins = str(Path(__file__).parent / "plugins")
    words = ["mode=sequential", "task=pillow", "images=2", "protocol=once", "tracking=none", f"objective={objective}"]
    answer = program.cold("-m", "hydra/sweeper=one_by_one", *words, PYTHONPATH=plugins)
    assert answer.returncode == 0, answer.stderr
    told = json.loads((program.folder / "told.json").read_text())
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    names = objective.strip("[]").split(",")
    values = [[one["metrics"][name]["value"] for name in names] for one in sweep["points"]]
    assert told == (values if len(names) > 1 else [value for (value,) in values])
    assert (sweep["front"] is not None) == (len(names) > 1)
    assert len(told) == 3
