"""``runner decide``: the analysis of a sweep for values that something else has measured."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.values import noisy

from runner.analysis.decision import decide
from runner.analysis.elsewhere import BadFile, Measured, measured_elsewhere
from runner.analysis.readings import Key
from runner.commands.dispatch import dispatch
from runner.record.shape import misfit
from runner.record.sweep_schema import DecisionJson


def table(logs: Any, *, sessions: int = 0) -> str:
    """A CSV with a value for each round and point, a, b, c and so on."""
    lines = ["point,round,value" + (",session" if sessions else "")]
    for number, row in enumerate(np.asarray(logs)):
        session = f",day {number * sessions // len(logs)}" if sessions else ""
        lines += [f"{chr(97 + place)},{number},{math.exp(log):.6f}{session}" for place, log in enumerate(row)]
    return "\n".join(lines) + "\n"


def decided(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, *words: str) -> DecisionJson:
    path = tmp_path / "values.csv"
    path.write_text(text, encoding="utf-8")
    assert dispatch(["decide", str(path), "--json", *words]) == 0
    record: DecisionJson = json.loads(capsys.readouterr().out)
    assert misfit(record, DecisionJson) is None
    return record


def test_a_table_gets_an_answer_a_ranking_and_comparisons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = decided(tmp_path, capsys, table(noisy([-0.5, 0.0, -0.01], 12, 0.01, 1)), "--higher")
    assert record["answer"]["best"] == "b"
    assert record["answer"]["proven"]
    assert [one["point"] for one in record["ranking"]] == ["b", "c", "a"]
    assert [(one["point"], one["baseline"], one["verdict"]) for one in record["comparisons"]] == [
        ("b", "a", "faster"),
        ("c", "a", "faster"),
    ]
    assert "race" not in record


def test_where_lower_is_better_the_other_end_is_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = decided(tmp_path, capsys, table(noisy([-0.5, 0.0], 12, 0.01, 1)), "--lower", "--baseline", "b")
    assert record["answer"]["best"] == "a"
    (comparison,) = record["comparisons"]
    assert (comparison["point"], comparison["verdict"]) == ("a", "faster")
    assert (comparison["ratio"] or 1) < 1


def test_a_race_says_what_held_at_every_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = decided(tmp_path, capsys, table(noisy([0.0, -0.5, -0.6], 30, 0.02, 1)), "--higher", "--race")
    assert record["race"][-1]["bound_pct"] == record["answer"]["bound_pct"]
    assert (record["answer"]["bound_pct"] or 0) <= 5
    assert record["answer"]["proven"]
    went = {one["point"]: one["out_in_round"] for one in record["ranking"]}
    assert went["a"] is None
    assert went["c"] in range(2, 12)


def test_three_sessions_are_three_values_and_two_are_said_to_be_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = noisy([0.0, -0.05], 24, 0.001, 1)
    logs[8:16, 1] += 0.1  # another day the other one is faster
    assert decided(tmp_path, capsys, table(logs[:8]), "--higher")["comparisons"][0]["verdict"] == "slower"
    record = decided(tmp_path, capsys, table(logs, sessions=3), "--higher")
    assert (record["comparisons"][0]["verdict"], record["comparisons"][0]["n"]) == ("inconclusive", 3)
    assert not record["answer"]["proven"]
    assert "each of the 3 sessions is one value" in record["notes"][0]
    assert "what is said holds in them" in decided(tmp_path, capsys, table(logs[:16], sessions=2), "--higher")["notes"][0]


def test_the_terminal_has_the_sentence_and_twelve_points_at_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "values.csv"
    path.write_text(table(noisy(np.linspace(0, -1, 15), 8, 0.01, 1)), encoding="utf-8")
    assert dispatch(["decide", str(path), "--higher"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("a is the best: each of the 14 others is worse.")
    assert "and 3 more; --all shows them" in said
    assert dispatch(["decide", str(path), "--higher", "--all"]) == 0
    assert "more; --all" not in capsys.readouterr().out


def hyperfine(times: Mapping[str, Any]) -> str:
    return json.dumps(
        {"results": [{"command": name, "mean": 1.0, "times": values} for name, values in times.items()]}, indent=1
    )


def pyperf(values: Mapping[str, Any]) -> str:
    calibration = {"metadata": {}, "warmups": [[1, 0.1]]}
    benchmarks = [
        {"metadata": {"name": name}, "runs": [calibration, *({"values": run} for run in runs)]} for name, runs in values.items()
    ]
    return json.dumps({"version": "1.0", "metadata": {"unit": "second"}, "benchmarks": benchmarks}, indent=1)


def google(times: Mapping[str, Any], unit: str = "ms") -> str:
    entries = [
        {
            "name": f"{name}/repeats",
            "run_name": name,
            "run_type": "iteration",
            "repetition_index": place,
            "real_time": time,
            "time_unit": unit,
        }
        for name, values in times.items()
        for place, time in enumerate(values)
    ]
    mean = {
        "name": "x_mean",
        "run_name": "x",
        "run_type": "aggregate",
        "aggregate_name": "mean",
        "real_time": 1.0,
        "time_unit": unit,
    }
    return json.dumps({"context": {"date": "2026"}, "benchmarks": [*entries, mean]}, indent=1)


FAST, SLOW = [1.0, 1.01, 0.99, 1.0, 1.02, 0.98, 1.0, 1.01], [2.0, 2.02, 1.99, 2.0, 2.04, 1.97, 2.0, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        hyperfine({"fast": FAST, "slow": SLOW}),
        pyperf({"fast": [[value, value] for value in FAST], "slow": [[value] for value in SLOW]}),
        google({"fast": FAST, "slow": SLOW}),
    ],
    ids=["hyperfine", "pyperf", "google"],
)
def test_files_of_other_programs_are_times_and_are_said_not_to_be_interleaved(text: str) -> None:
    measured = measured_elsewhere(text)
    assert measured.lower_is_better
    assert {name: len(values) for name, values in measured.points.items()} == {"fast": 8, "slow": 8}
    assert "what the machine did meanwhile is in the differences" in measured.notes[0]
    found = decide(measured, more_is_better=False, indifference=0.05)
    assert found.conclusion.answer["text"] == "fast is the best: slow is worse."


def test_units_and_the_means_of_runs_are_as_the_files_say() -> None:
    assert measured_elsewhere(google({"x": [3.0]}, "us")).points == {"x": {Key("", 0): pytest.approx(3e-6)}}
    assert measured_elsewhere(pyperf({"x": [[1.0, 3.0]]})).points == {"x": {Key("", 0): 2.0}}


def test_two_files_are_compared_under_their_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, values in (("before", SLOW), ("after", FAST)):
        (tmp_path / f"{name}.json").write_text(pyperf({"sort": [[value] for value in values]}), encoding="utf-8")
    assert dispatch(["decide", str(tmp_path / "before.json"), str(tmp_path / "after.json")]) == 0
    assert capsys.readouterr().out.startswith("after: sort is the best: before: sort is worse.")


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("", 1, "there is nothing in it"),
        ("point,round\na,1\n", 1, "the first line has no column value"),
        ("point,round,value,sesion\n", 1, "there is no column sesion"),
        ("point,round,value\n", 1, "there are no values"),
        ("point,round,value\na,0,1.0\n\nb,0\n", 4, "has 2 fields instead of 3"),
        ("point,round,value\na,0,1.0\nb,zero,1.0\n", 3, "round=zero: is no integer"),
        ("point,round,value\na,0,1.0\nb,0,nan\n", 3, "value=nan: is no number above 0"),
        ("point,round,value\na,0,-1\n", 2, "value=-1: is no number above 0"),
        ("point,round,value\na,0,1.0\na,0,1.1\n", 3, "a has a value in round 0 already"),
        ("point,round,value\n,0,1.0\n", 2, "the point has no name"),
        ('point,round,value\n"a,0,1.0\n', 2, "is no CSV"),
        ('{"results": [\n}', 2, "is no JSON"),
        ("[1]", 1, "is the JSON of none of hyperfine, google/benchmark, pyperf"),
        (hyperfine({"a": [1.0, "x"]}), 8, "times[1] of a is no number above 0"),
        (hyperfine({"a": []}), 6, "a has no list of times"),
        ('{"results": 3}', 1, "results is no list with something in it"),
        (pyperf({"a": [[1.0, 0]]}), 24, "values[1] of a run of a is no number above 0"),
        (pyperf({"a": []}), 11, "no run of a has values"),
        (google({"a": [None]}), 11, "real_time of a is no number above 0"),
        (google({"a": [1.0]}, "weeks"), 12, "time_unit=weeks: is none of ns, us, ms, s"),
        (google({}), 1, "has no repetitions, only aggregates or errors"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_the_line_that_is_wrong(text: str, line: int, why: str) -> None:
    with pytest.raises(BadFile, match=re.escape(why)) as refusal:
        measured_elsewhere(text)
    assert refusal.value.line == line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["values.csv"], "--higher or --lower: a table of values does not say which is better"),
        (["values.csv", "--higher", "--baseline", "z"], "--baseline=z: there is no such point accepted: a, b"),
        (["values.csv", "--higher", "--indifference", "0"], "--indifference=0.0: is out of range"),
        (["nowhere.csv", "--higher"], "nowhere.csv: cannot be read"),
        (["odd.csv", "--higher"], "odd.csv, line 2: is no text in UTF-8"),
        (["short.csv", "--higher"], "short.csv, line 3: value=x: is no number above 0"),
    ],
)
def test_what_cannot_be_decided_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    (tmp_path / "values.csv").write_text(table([[0.0, 0.1]] * 3))
    (tmp_path / "odd.csv").write_bytes(b"point,round,value\n\xff,0,1\n")
    (tmp_path / "short.csv").write_text("point,round,value\na,0,1\na,1,x\n")
    assert dispatch(["decide", str(tmp_path / words[0]), *words[1:]]) == 1
    stderr = capsys.readouterr().err
    assert said in " ".join(stderr.split())
    assert "accepted: " in stderr or "--baseline" in stderr


def test_a_point_by_itself_is_no_comparison() -> None:
    found = decide(Measured({"a": {Key("", 0): 1.0}}), more_is_better=True, indifference=0.05)
    assert found.comparisons == []
    assert found.conclusion.answer["text"] == "Only a has results, so there is nothing to compare it with."
