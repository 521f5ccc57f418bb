"""Rounds, verdicts, baselines and warnings of whole sweeps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.points import Silent, point
from support.program import Program
from support.protocol import SMALL
from support.stores import sweep_in

from runner.analysis.statistics import paired_ratio
from runner.analysis.stopping import LEAST_ROUNDS, ROUNDS_TO_PROVE
from runner.analysis.verdicts import verdict_on
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


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
    assert answer.stdout.index(said) < answer.stdout.index("images/s")
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


def test_quick_and_once_give_no_verdicts_and_say_what_is_not_known(program: Program) -> None:
    answer = program(*SMALL, "protocol=once", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    sweep = json.loads((sweep_in(program.folder) / "sweep.json").read_text())
    assert sweep["comparisons"] == []
    assert sweep["self_check"] is None
    assert "cannot tell a difference from chance" in answer.stdout
