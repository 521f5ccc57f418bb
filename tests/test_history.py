"""``runner history``: changes of level in series of runs, and what it shows of a real store."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.program import Program
from support.warm_program import warm

from runner.analysis.change_points import LEAST, changes
from runner.record.history_schema import HistoryJson
from runner.record.shape import misfit
from runner.report.history import history_page


def noise(count: int, seed: int) -> np.ndarray:
    return 1 + 0.02 * np.random.default_rng(seed).standard_normal(count)


def test_a_step_is_placed_where_it_is_and_its_levels_are_those_on_both_sides() -> None:
    values = 200 * noise(40, 1)
    values[25:] *= 0.9
    (change,) = changes(values.tolist())
    assert abs(change.at - 25) <= 1
    assert [change.before, change.after] == pytest.approx([200, 180], rel=0.02)
    assert change.p <= 0.01


def test_a_change_that_was_undone_is_two_changes() -> None:
    values = 200 * noise(45, 1)
    values[15:30] *= 0.9
    assert [round(one.at / 15) for one in changes(values.tolist())] == [1, 2]


@pytest.mark.parametrize("values", [[1.0] * 40, [1.0, 2.0] * (LEAST - 1), []])
def test_values_that_do_not_change_and_too_few_of_them_show_nothing(values: list[float]) -> None:
    assert changes(values) == []


def test_the_same_series_gives_the_same_changes_on_any_scale() -> None:
    values = noise(40, 3)
    values[20:] *= 0.93
    assert [one.at for one in changes(values.tolist())] == [one.at for one in changes((1e6 * values).tolist())]


def test_noise_alone_hardly_ever_shows_a_change() -> None:
    assert sum(bool(changes(noise(40, seed).tolist())) for seed in range(60)) <= 3


@pytest.fixture(scope="module")
def with_runs(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The program in a folder whose store has 24 runs of a configuration, the last 12 of them slower, with another Pillow, and 3 of another."""
    folder = tmp_path_factory.mktemp("history")
    answer = warm().run(folder, "support.history_store", str(folder))
    assert answer.returncode == 0, answer.stderr
    return Program(folder)


@pytest.mark.slow
def test_a_change_is_shown_with_what_differed_and_short_series_say_what_they_lack(with_runs: Program) -> None:
    answer = with_runs("history", "--html", "out/history.html")
    assert answer.returncode == 0, answer.stderr
    assert "packages pillow: 11.0.0 → 12.0.0" in answer.stdout
    assert "takes 10 runs" in answer.stdout
    page = (with_runs.folder / "out/history.html").read_text()
    assert "The level has changed once in 1 series; 1 more has fewer than 10 runs." in page
    assert "packages pillow" in page


@pytest.mark.slow
def test_history_as_json_has_runs_and_changes_and_since_leaves_runs_out(with_runs: Program) -> None:
    answer = with_runs("history", "--json")
    history = json.loads(answer.stdout)
    assert misfit(history, HistoryJson) is None
    first, second = history["series"]
    assert (len(first["runs"]), len(second["runs"])) == (24, 3)
    (change,) = first["changes"]
    assert change["first_after"] == first["runs"][12]["run"]
    assert second["changes"] is None
    late = json.loads(with_runs("history", "--json", "--since", "2026-01-13").stdout)
    assert len(late["series"][0]["runs"]) < 24
    assert late["series"][0]["changes"] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--metric=speed"], "--metric=speed: there is no such metric\n  accepted: images_per_s"),
        (["--since=yesterday"], "--since=yesterday: is no date\n  accepted: a day or a time"),
        (["--uri=sqlite:///nowhere.db"], "sqlite:///nowhere.db: there is no such store\n  accepted: --uri"),
    ],
)
def test_what_has_no_history_is_refused(program: Program, words: list[str], said: str) -> None:
    answer = program("history", *words)
    assert answer.returncode == 1
    assert answer.stderr.startswith(said), answer.stderr
    assert list(program.folder.iterdir()) == []


def test_an_experiment_that_is_not_there_is_named_with_those_that_are(with_runs: Program) -> None:
    answer = with_runs("history", "--experiment=other")
    assert answer.returncode == 1
    assert "--experiment=other: there is no such experiment" in answer.stderr
    assert "image-pipeline" in answer.stderr


def test_a_page_escapes_what_runs_are_called() -> None:
    runs = [{"run": str(place), "at": 1e9 + place, "value": 1.0} for place in range(3)]
    series = {"name": "<b>", "config_hash": "0" * 16, "host": "h", "runs": runs, "changes": None}
    page = history_page({"metric": "work_s", "more_is_better": False, "least_runs": 10, "series": [series]})  # type: ignore[list-item]
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert "No series has the 10 runs that it takes to find a change." in page
    assert "<figure" not in page
