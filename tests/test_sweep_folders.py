"""Where the points of a sweep lie, and by which line a sweep that was resumed is run again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from support.program import Program

SWEEP = ("protocol=once", "tracking=none", "task=pillow", "mode=sequential,thread", "hydra.sweep.dir=outputs/s")


def test_points_may_lie_in_folders_within_folders(tmp_path: Path, program: Program) -> None:
    answer = program(*SWEEP, "images=2", "hydra.sweep.subdir=${mode.name}/${workers}", "-m")
    assert answer.returncode == 0, answer.stderr
    record = json.loads((tmp_path / "outputs/s/sweep.json").read_text())
    assert [point["folder"] for point in record["points"]] == ["sequential/15", "thread/15"]
    compared = program("compare", "outputs/s")
    assert compared.returncode == 0, compared.stderr


def test_a_resumed_sweep_keeps_the_line_that_began_it_with_its_words_as_they_were_typed(
    tmp_path: Path, program: Program
) -> None:
    answer = program(*SWEEP, "images=${workers}", "workers=2", "-m")
    assert answer.returncode == 0, answer.stderr
    path = tmp_path / "outputs/s/sweep.json"
    command = json.loads(path.read_text())["command"]
    resumed = program("resume=outputs/s")
    assert resumed.returncode == 0, resumed.stderr
    record = json.loads(path.read_text())
    assert record["command"] == command
    words = shlex.split(command.partition(" -m runner ")[2])
    assert "images=${workers}" in words
    assert not [word for point in record["points"] for word in point["overrides"] if word.startswith("resume=")]
    again = program(*words, "hydra.sweep.dir=outputs/again")
    assert again.returncode == 0, again.stderr
