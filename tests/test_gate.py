"""``runner gate``: when it ends, with what verdict and exit status, of sides that are made up and of real ones."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.made_records import killed, timed_trial
from support.points import Prepared, Silent, point
from support.program import Program

from runner.analysis.gating import Limit
from runner.config.options import Protocol
from runner.record.gating_schema import GateJson
from runner.record.shape import misfit
from runner.record.trial import TrialPlace
from runner.record.trial_schema import TrialRecord
from runner.sweeps.gate_record import gate_record
from runner.sweeps.gating import GateCourse
from runner.sweeps.point import Point
from runner.sweeps.session import Session
from runner.sweeps.sweep import Sweep

LIMIT = Limit("images_per_s", 0.95)
SMALL = ("mode=sequential", "workers=1", "images=4", "monitor=off", "tracking=none", "source=synthetic", "source.count=2")


def gated(
    folder: Path,
    ratio: float,
    *,
    noise: float = 0.02,
    limits: Sequence[Limit] = (LIMIT,),
    failing: str = "",
    losing: str = "",
    **protocol: float,
) -> GateJson:
    """A gate whose trials are made up: new has ``ratio`` times the throughput of old.

    Args:
        failing: the side whose trial of the third round fails.
        losing: the side of which an image of each epoch fails.
    """
    rules = Protocol(race=True, verdicts=False, self_check=False, epochs=1, **{"max_rounds": 40, **protocol})  # type: ignore[arg-type]
    points = [point(folder / side, protocol=rules, workers=number) for number, side in enumerate(("old", "new"), 1)]
    for one, side in zip(points, ("old", "new"), strict=True):
        one.title = side

    def measure(one: Point, place: TrialPlace, *_: object) -> TrialRecord:
        drawn = random.Random(f"{one.title}/{place.round}").gauss(0, noise)
        trial: TrialRecord = timed_trial(place.round, math.exp(drawn) / (ratio if one.title == "new" else 1.0))
        if (one.title, place.round) == (failing, 2):
            trial = killed(timed_trial(place.round, 1.0))
        elif one.title == losing and trial["status"] == "ok":
            trial["epochs"][0]["images_failed"] = 1
        one.trials.append(trial)
        return trial

    sweep, shown = Sweep.of(points, folder), list[str]()
    Session(
        points, 0, Silent(), Prepared(), course=GateCourse(sweep, shown.append, limits), measure=measure, identity="a"
    ).run()
    record = gate_record(points, limits, folder, "runner gate")
    assert len(shown) >= record["rounds"]
    assert misfit(record, GateJson) is None
    assert {len(one.trials) for one in points} <= {record["rounds"], record["rounds"] + 1}
    return record


@pytest.mark.parametrize(("ratio", "verdict", "status"), [(1.0, "not worse", 0), (0.85, "worse", 1)])
def test_a_gate_ends_in_the_round_that_proves_it(tmp_path: Path, ratio: float, verdict: str, status: int) -> None:
    record = gated(tmp_path, ratio)
    assert (record["verdict"], record["exit_status"], record["ended_by"]) == (verdict, status, "proven")
    assert record["rounds"] == record["limits"][0]["rounds"] < 20


def test_at_the_limit_a_gate_ends_at_its_most_rounds_and_does_not_know(tmp_path: Path) -> None:
    record = gated(tmp_path, 0.95, max_rounds=5)
    assert (record["verdict"], record["exit_status"], record["ended_by"], record["rounds"]) == ("not known", 3, "rounds", 5)


def test_a_budget_ends_a_gate_after_a_whole_round(tmp_path: Path) -> None:
    record = gated(tmp_path, 0.95, budget_s=14)  # each trial says that it took 2 s
    assert (record["verdict"], record["exit_status"], record["ended_by"], record["rounds"]) == ("not known", 3, "budget", 4)
    assert record["trials_s"] == pytest.approx(16)


@pytest.mark.parametrize("side", ["old", "new"])
def test_a_side_that_fails_decides_nothing_and_is_named(tmp_path: Path, side: str) -> None:
    record = gated(tmp_path, 1.0, failing=side)
    assert (record["verdict"], record["exit_status"], record["ended_by"], record["rounds"]) == ("failed", 2, "failure", 2)
    assert record["text"].startswith(f"Failed: the {side} side: TrialKilled: ")


def test_a_new_side_that_loses_images_does_less_work_and_passes_no_gate(tmp_path: Path) -> None:
    record = gated(tmp_path / "new", 1.5, losing="new")
    assert (record["exit_status"], record["rounds"]) == (2, 1)
    assert "the new side: ImagesFailed: 1 images of an epoch failed, and 0 of old's" in record["text"]
    mended = gated(tmp_path / "old", 1.0, losing="old")
    assert mended["exit_status"] == 0
    assert "1 images of an epoch failed in old, fewer in new" in mended["notes"]


def test_a_metric_that_the_trials_do_not_have_is_named_after_one_round(tmp_path: Path) -> None:
    record = gated(tmp_path, 1.0, limits=[LIMIT, Limit("gpu_power_w", 1.1)])
    assert (record["exit_status"], record["ended_by"], record["rounds"]) == (2, "no ratio", 1)
    assert record["text"].startswith("Failed: gpu_power_w: in 1 of 1 rounds a trial has no value of it")


def test_one_limit_that_is_broken_is_enough_and_all_have_to_be_kept(tmp_path: Path) -> None:
    time_s = Limit("work_s", 1.05)
    assert gated(tmp_path / "a", 1.0, limits=[LIMIT, time_s])["exit_status"] == 0
    assert gated(tmp_path / "b", 0.9, limits=[Limit("images_per_s", 0.5), time_s])["exit_status"] == 1


@pytest.mark.slow
def test_a_function_that_has_become_slow_is_found_and_files_for_a_change_say_so(program: Program) -> None:
    (program.folder / "steps.py").write_text(
        "import time\n\ndef a(data):\n    time.sleep(0.02)\n    return data[:8]\n\n"
        "def b(data):\n    time.sleep(0.06)\n    return data[:8]\n"
    )
    words = ["--old", "task.function=steps:a", "--new", "task.function=steps:b", "--fail-if=images_per_s<0.8"]
    files = ["--json=out/gate.json", "--junit=out/gate.xml", "--markdown=out/gate.md"]
    answer = program.cold("gate", *SMALL, "task=function", *words, *files)
    assert answer.returncode == 1, answer.stderr
    assert answer.stdout.count("Worse: new has 0.3") == 1
    record = json.loads((program.folder / "out/gate.json").read_text())
    assert misfit(record, GateJson) is None
    assert (program.folder / "out/gate.md").read_text().startswith("**Worse: ")
    assert "<failure" in (program.folder / "out/gate.xml").read_text()
    (kept,) = program.folder.glob("outputs/sweeps/*/*/gate.json")
    assert json.loads(kept.read_text()) == record
    assert program("verify", str(kept.parent)).returncode == 0
    report = program("report", str(kept.parent))
    assert report.returncode == 0, report.stderr


@pytest.mark.slow
def test_a_recorded_configuration_is_run_anew_as_the_old_side(program: Program) -> None:
    assert program(*SMALL, "task=pillow", "task.size=8", "protocol=once").returncode == 0
    (folder,) = (path.parent for path in program.folder.glob("outputs/runs/*/*/result.json"))
    answer = program("gate", "--baseline", str(folder), "--new", "task.size=900", "tracking=none", "--budget=30")
    assert answer.returncode == 1, answer.stderr + answer.stdout
    (gate,) = program.folder.glob("outputs/sweeps/*/*/gate.json")
    record = json.loads(gate.read_text())
    assert "task.size=8" in record["old"]["overrides"]
    assert "task.size=900" in record["new"]["overrides"]


@pytest.mark.slow
def test_a_side_whose_trials_cannot_run_is_named_and_the_status_is_not_that_of_worse(program: Program) -> None:
    (program.folder / "broken.py").write_text("def a(data):\n    return data\n\ndef b(data):\n    raise SystemExit(3)\n")
    words = ["--old", "task.function=broken:a", "--new", "task.function=broken:b"]
    answer = program.cold("gate", *SMALL, "task=function", *words)
    assert answer.returncode == 2, answer.stderr
    assert "Failed: the new side: " in answer.stdout
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--new: is missing: there is nothing to compare"),
        (["--new=workers=2", "--fail-if=images_per_s>2"], "--fail-if=images_per_s>2: more images_per_s is better"),
        (["--new=workers=2", "--fail-if=work_s>2", "--fail-if=work_s>3"], "--fail-if=work_s>3: work_s has a limit already"),
        (["--new=workers=2", "--fail-if=steps_per_s<1"], "--fail-if=steps_per_s<1: is a metric of a consumer"),
        (["--new=workers=2", "--budget=0"], "--budget=0: is out of range"),
        (["--new=workers=2", "--json=."], "is a folder"),
        (["--new=workers=2,3"], "workers=2,3: is several values, and a gate is of one configuration"),
        (["--new=images=3"], "--new=images=3: cannot differ between the sides of a gate"),
        (["--new=workers='2"], "--new=workers='2: cannot be read"),
        (["--new=workers=2", "protocol=quick"], "protocol=quick: cannot be chosen for a gate"),
        (["--new=workers=0"], "new: workers=0: is out of range"),
        (["--new=task=nothing"], "new: task=nothing"),
        (["--new=workers=2", "--baseline=nowhere"], "--baseline=nowhere: is no record of a point"),
    ],
)
def test_what_no_gate_can_be_made_of_is_refused_with_a_status_of_its_own(program: Program, words: list[str], said: str) -> None:
    answer = program("gate", *words)
    assert answer.returncode == 2
    assert said in answer.stderr.splitlines()[0]
    assert "accepted: " in answer.stderr
    assert not (program.folder / "outputs").exists()
