"""Several objectives: which points nothing beats in all of them together, and where that is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.composing import composed
from support.rankings import sweep
from support.report import point, subject
from support.values import THROUGHPUT, candidates, noisy

from runner.analysis.front import beaten_by
from runner.config.plain import config_hash
from runner.display.front import front_rows, front_text, in_words
from runner.display.markdown import comparison_table
from runner.display.sweep_summary import print_sweep
from runner.errors import ConfigurationError
from runner.record.sweep_schema import SweepJson
from runner.report.charts import front
from runner.report.page import sections_of
from runner.tracking.note import sweep_note

MEMORY = replace(THROUGHPUT, criterion="memory", more_is_better=False, better="better")


def beaten(
    speed: Any, memory: Any, *, noise: float = 0.02, rounds: int = 10, seed: int = 0, raced: bool = False
) -> list[int | None]:
    """Of points with these logarithms of speed and memory."""
    values = [candidates(noisy(truth, rounds, noise, seed + place)) for place, truth in enumerate((speed, memory))]
    return beaten_by(values, [replace(one, raced=raced) for one in (THROUGHPUT, MEMORY)])


@pytest.mark.parametrize("raced", [False, True])
def test_what_is_worse_in_both_is_beaten_and_what_is_best_in_one_is_not(raced: bool) -> None:
    assert beaten([0.0, -0.5, -0.5], [1.0, 0.0, 1.0], rounds=20, raced=raced) == [None, None, 0]


def test_one_that_is_as_good_in_one_and_better_in_the_other_beats() -> None:
    assert beaten([0.5, 0.0], [0.0, 0.0]) == [None, 0]


def test_a_point_is_beaten_by_one_that_nothing_beats() -> None:
    assert beaten([0.0, -0.4, -0.8], [0.0, 0.4, 0.8]) == [None, 0, 0]


def test_what_is_better_by_less_than_the_indifference_beats_nothing() -> None:
    assert beaten([0.02, 0.0], [0.0, 0.0], noise=0.001) == [None, None]


def test_nothing_is_beaten_without_a_proof() -> None:
    assert beaten([0.5, 0.0], [0.0, 0.0], rounds=1) == [None, None]
    assert beaten([0.5, 0.0], [0.0, 0.5], noise=1.0, rounds=4) == [None, None]


def test_a_point_without_a_value_in_one_objective_is_not_beaten() -> None:
    speed, memory = candidates(noisy([0.5, 0.0], 10, 0.01, 0)), candidates(np.full((10, 2), np.nan))
    assert beaten_by([speed, memory], [THROUGHPUT, MEMORY]) == [None, None]


@pytest.mark.parametrize(("raced", "rounds"), [(False, 8), (False, 30), (True, 8), (True, 30)])
def test_what_nothing_beats_is_seldom_left_out(raced: bool, rounds: int) -> None:
    """Each point is far faster than the one before it, and takes more memory by just more than the indifference: the hardest case."""
    steps = np.arange(6)
    left_out = sum(
        any(
            one is not None
            for one in beaten(0.5 * steps, 0.0488 * steps, noise=0.05, rounds=rounds, seed=2 * seed, raced=raced)
        )
        for seed in range(200)
    )
    assert left_out <= 16  # 5 % are 10; 16 or more would come about by chance in one of twenty runs, and the seeds are fixed


def test_objectives_are_one_metric_or_a_list_and_no_part_of_what_a_point_is() -> None:
    one, several = composed(), composed("objective=[images_per_s,peak_memory_mb]")
    assert (one.objectives, several.objectives) == (("images_per_s",), ("images_per_s", "peak_memory_mb"))
    assert config_hash(one) == config_hash(several)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("[images_per_s,images_per_s]", r"objective=\[images_per_s,images_per_s\]: names a metric twice"),
        ("[]", r"objective=\[\]: names none"),
        ("[images_per_s,speed]", "objective=speed: is out of range\n  accepted: one of images_per_s, .*; or a list of them"),
        ("[images_per_s,step_wait_ms]", "objective=step_wait_ms: is measured only where there is a consumer"),
    ],
)
def test_objectives_that_cannot_be_are_refused(given: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        composed(f"objective={given}")


@pytest.fixture
def record() -> SweepJson:
    made = sweep(4)
    names = [one["name"] for one in made["points"]]
    made["front"] = {
        "objectives": ["images_per_s", "peak_memory_mb"],
        "points": [{"point": name, "beaten_by": names[0] if name == names[2] else None} for name in names],
    }
    return made


def test_it_is_said_in_the_terminal_in_markdown_and_in_mlflow(record: SweepJson, capsys: pytest.CaptureFixture[str]) -> None:
    said = front_text(record)
    assert said.startswith("Nothing is proven to beat ")
    assert said.endswith(" in images a second and memory together. 1 is beaten by one of these.")
    assert in_words(["images_per_s", "peak_memory_mb", "startup_s"]) == "images a second, memory and start-up"
    assert [row[-1] != "" for row in front_rows(record)] == [False, False, False, True]
    print_sweep(record, Path("outputs/sweeps/one"))
    assert said in capsys.readouterr().out
    assert said in comparison_table(record)
    assert said in sweep_note(record, Path("nowhere"))
    assert not front_text(sweep(4))


def test_the_report_draws_two_objectives_and_lists_what_beats_what() -> None:
    points = [point("thread-w1", 100.0), point("thread-w2", 180.0), point("process-w2", 90.0)]
    found: dict[str, Any] = {
        "objectives": ["images_per_s", "peak_memory_mb"],
        "points": [
            {"point": "thread-w1", "beaten_by": None},
            {"point": "thread-w2", "beaten_by": None},
            {"point": "process-w2", "beaten_by": "thread-w1"},
        ],
    }
    fronted = [
        ["point", "images_per_s", "peak_memory_mb", "beaten by"],
        *([one["point"], "1", "2", ""] for one in found["points"]),
    ]
    seen = subject(points, front=found, fronted=fronted)
    chart = front.draw(seen)
    assert chart is not None
    assert "thread-w2: " in chart.description
    assert "process-w2" not in chart.description
    (section,) = (one for one in sections_of(seen) if one.id == "front")
    assert len(section.tables[0].rows) == 3
    assert front.draw(subject(points)) is None
