"""Which point is recommended, and the words and presets that take it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.advice import folder_of, trial
from support.made_records import known, result
from support.paths import ROOT
from support.program import Program

from runner.analysis.recommendation import recommended
from runner.commands.recommend import write_preset
from runner.config.registry import KEYS
from runner.errors import ConfigurationError
from runner.record.metrics import point_metrics
from runner.record.reading import PointRecord


def point(
    name: str,
    images_per_s: float,
    *,
    cpu_s: float = 0.01,
    memory_mb: float = 100,
    latency_ms: float = 10,
    rounds: int = 12,
    noise: float = 0.01,
) -> PointRecord:
    draw = random.Random(name)
    trials = [trial(place, images_per_s * (1 + draw.gauss(0, noise)), cpu_s, memory_mb, latency_ms) for place in range(rounds)]
    return PointRecord(Path(), result(trials=trials, metrics=point_metrics(trials)), name, [])


def test_the_cheapest_of_those_that_are_proven_to_be_as_good_is_taken() -> None:
    fast, as_fast, slow = point("fast", 101, cpu_s=0.02), point("as fast", 100, cpu_s=0.01), point("slow", 80, cpu_s=0.001)
    taken = recommended([fast, as_fast, slow], "throughput")
    assert taken is not None
    assert (taken.point.label, taken.best.label, taken.as_good, taken.considered) == ("as fast", "fast", 2, 3)
    assert taken.proven
    assert 0 < known(taken.bound_pct) <= 5


def test_what_matters_decides() -> None:
    points = [
        point("fast", 200, memory_mb=900, latency_ms=50), point("small", 50, memory_mb=90, latency_ms=40),
        point("prompt", 60, memory_mb=500, latency_ms=4), point("cheap", 70, memory_mb=600, latency_ms=30, cpu_s=0.001),
    ]  # fmt: skip
    taken = {criterion: recommended(points, criterion) for criterion in ("throughput", "memory", "latency", "cost")}
    names = {criterion: found.point.label for criterion, found in taken.items() if found is not None}
    assert names == {"throughput": "fast", "memory": "small", "latency": "prompt", "cost": "cheap"}


def test_what_is_not_provably_worse_is_not_taken_for_as_good() -> None:
    """Slower and cheap, in rounds too few and too noisy to prove it: once nine of ten recommendations were such."""
    fast, slow = point("fast", 110, cpu_s=0.02, rounds=3, noise=0.15), point("slow", 90, rounds=3, noise=0.15)
    taken = recommended([fast, slow], "throughput")
    assert taken is not None
    assert taken.point.label == "fast"
    assert not taken.proven
    assert known(taken.bound_pct) > 5


def test_one_round_recommends_the_fastest_and_can_say_no_more() -> None:
    taken = recommended([point("fast", 200, cpu_s=0.02, rounds=1), point("slow", 50, rounds=1)], "throughput")
    assert taken is not None
    assert (taken.point.label, taken.bound_pct, taken.proven) == ("fast", None, False)


def test_a_sweep_without_a_good_point_has_nothing_to_recommend() -> None:
    assert recommended([], "throughput") is None


def test_the_words_that_are_recommended_can_be_pasted(advised: Program) -> None:
    answer = advised("recommend", folder_of(advised), "--by", "memory")
    assert answer.returncode == 0, answer.stderr
    (line,) = (line for line in answer.stdout.splitlines() if line.startswith("To run it (memory): "))
    words = line.partition(": ")[2].split()
    assert "mode=thread" in words  # a thread's memory is less than a process's
    assert advised(*words, "protocol=once", "images=2", "tracking=none").returncode == 0


def test_a_preset_is_written_and_can_be_run(advised: Program, tmp_path: Path) -> None:
    preset = ROOT / "conf" / "experiment" / f"test_{tmp_path.name}.yaml"
    try:
        answer = advised("recommend", folder_of(advised), "--preset", str(preset))
        assert answer.returncode == 0, answer.stderr
        assert yaml.safe_load(preset.read_text())["workers"] in {1, 2}
        assert advised(f"experiment={preset.stem}", "protocol=once", "images=2", "tracking=none").returncode == 0
        again = advised("recommend", folder_of(advised), "--preset", str(preset))
        assert again.returncode == 1
        assert "is there already" in again.stderr
    finally:
        preset.unlink(missing_ok=True)


@pytest.mark.parametrize("file", ["conf/experiment/mine.yaml", "team/experiment/ours.yaml"])
def test_a_recommended_preset_is_found_by_the_words_that_are_printed(advised: Program, file: str) -> None:
    answer = advised("recommend", folder_of(advised), "--preset", file)
    assert answer.returncode == 0, answer.stderr
    printed = answer.stdout.rpartition("To run it: ")[2].split()
    words = printed[1:] if printed[0] == "runner" else printed[3:]
    shown = advised(*words, "--cfg", "job")
    assert shown.returncode == 0, shown.stderr
    text = (advised.folder / file).read_text()
    assert f"# python -m runner {' '.join(words)}\n" in text
    assert f"workers: {text.partition('workers: ')[2].split()[0]}\n" in shown.stdout


def test_a_preset_holds_choices_and_nothing_else_whatever_the_record_is_called(tmp_path: Path) -> None:
    hostile = "fast\nhydra:\n  callbacks:\n    x: {_target_: subprocess.Popen, args: [id]}\n#"
    taken = recommended([point(hostile, 200), point("slow", 50)], "throughput")
    assert taken is not None
    taken.point.record["config"]["task"] = {"name": "function", "function": "os:system"}
    write_preset(taken, tmp_path / "mine.yaml")
    text = (tmp_path / "mine.yaml").read_text()
    assert set(yaml.safe_load(text)) <= {"defaults", *KEYS}
    assert "os:system" not in text
    assert "task.function is code that the record names, which is not passed on" in text


def test_a_preset_points_to_the_schema_that_is_written_beside_it(tmp_path: Path) -> None:
    taken = recommended([point("fast", 200), point("slow", 50)], "throughput")
    assert taken is not None
    for name in ("mine", "other"):  # the second finds the schema there
        write_preset(taken, tmp_path / "presets" / f"{name}.yaml")
        text = (tmp_path / "presets" / f"{name}.yaml").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith("# yaml-language-server: $schema="))
        schema = json.loads((tmp_path / "presets" / line.partition("$schema=")[2]).read_text())
        jsonschema.Draft7Validator(schema).validate(yaml.safe_load(text))
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft7Validator(schema).validate({**yaml.safe_load(text), "wrokers": 3})


@pytest.mark.parametrize("name", ["a b.yaml", "a\nb.yaml", "-m.yaml", "a=b.yaml"])
def test_a_preset_has_a_name_that_can_be_chosen(tmp_path: Path, name: str) -> None:
    taken = recommended([point("fast", 200)], "throughput")
    assert taken is not None
    with pytest.raises(ConfigurationError, match="is no name for a preset"):
        write_preset(taken, tmp_path / name)
    assert not list(tmp_path.iterdir())
