"""What a sweep ends with: the answer, and where at most twelve points stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.made_records import comparison
from support.rankings import sweep

from runner.display.markdown import comparison_table
from runner.display.ranking import SHOWN, against_baseline, columns, folded, rows
from runner.display.sweep_summary import print_sweep
from runner.tracking.note import sweep_note


def test_a_sweep_ends_with_the_answer_and_twelve_points_and_folds_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    print_sweep(sweep(20), Path("outputs/sweeps/one"))
    said = capsys.readouterr().out
    assert said.startswith("process × 1 leads: nothing is more than 2.1 % faster.")
    assert [number for number in range(1, 21) if f" process-w{number} " in said] == list(range(1, SHOWN + 1))
    assert "and 8 more: 4 may be best, 4 out, 81 to 88; all of it: " in said
    assert "report --all outputs/sweeps/one" in said
    assert "inconclusive" not in said


def test_a_line_says_how_far_below_the_best_a_point_may_be_what_it_costs_and_where_it_stands() -> None:
    record = sweep(2)
    assert columns(record)[:3] == ["point", "images/s", "the best is better by at most"]
    assert rows(record)[1] == ["process-w2", "99.0 [98.0, 100.0]", "3.1 %", "9.9e+04", "99", "99", "out in round 1"]


def test_everything_is_there_where_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    record = sweep(20, [comparison(point="process-w1", verdict="inconclusive", rounds_needed=30)])
    print_sweep(record, Path("outputs/sweeps/one"), everything=True)
    said = capsys.readouterr().out
    assert " process-w20 " in said
    assert "about 30 rounds would settle it" in said
    assert "more:" not in said


def test_the_markdown_leads_with_the_answer_and_has_every_point() -> None:
    text = comparison_table(sweep(20))
    assert text.startswith("**process × 1 leads")
    assert "| process-w20 | 81.0 [80.0, 82.0] | 22 % |" in text


def test_the_leader_is_held_against_the_baseline_where_that_is_proven() -> None:
    faster = comparison(point="process-w1")
    memory = comparison(point="process-w1", metric="peak_memory_mb", ratio=2.0, verdict="slower")
    assert against_baseline(sweep(2, [faster, memory])) == (
        "process-w1 has 1.50 times [1.40, 1.60] the images a second of thread-w2, with 2 times the memory."
    )
    assert not against_baseline(sweep(2, [comparison(point="process-w1", verdict="inconclusive")]))


def test_the_note_of_the_parent_run_says_the_answer_and_twelve_points() -> None:
    note = sweep_note(sweep(20), Path("nowhere"))
    assert note.startswith("**process × 1 leads")
    assert note.count("at most") == SHOWN + 1  # the heading says it too
    assert folded(sweep(3)["ranking"][1:]) == "and 2 more: 1 may be best, 1 out, 98 to 99"
