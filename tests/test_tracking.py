"""What a run in MLflow holds."""

from __future__ import annotations

import json
import shutil
import socket
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_records import comparison
from support.program import Program
from support.stores import local_store, runs_at, sweep_in
from support.tracking import point_in, sync

from runner.analysis.agreement import agreement
from runner.config.metrics import METRICS
from runner.record.metric_schema import Metrics
from runner.record.reading import read_point, read_sweep
from runner.tracking.content import point_content
from runner.tracking.system import MOST_SAMPLES, system_metrics

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stored(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The runs that became of ``recorded``."""
    program = Program(tmp_path_factory.mktemp("stored"))
    shutil.copytree(recorded / "outputs", program.folder / "outputs")
    answer = sync(program)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return runs_at(local_store(program.folder))


def test_a_sweep_is_a_parent_run_with_its_points_nested(stored: list[Any]) -> None:
    runs = {run["name"]: run for run in stored}
    (parent,) = (run for name, run in runs.items() if name.startswith("mode, 20"))
    assert set(runs) == {parent["name"], "thread-w2", "process-w2", "sequential"}
    assert [runs[name]["tags"].get("mlflow.parentRunId") for name in ("thread-w2", "process-w2", "sequential")] == [
        parent["id"], parent["id"], None,
    ]  # fmt: skip
    assert {"comparison.md", "sweep.json", "report.html", "ranking.svg"} <= set(parent["artifacts"])
    assert set(parent["metrics"]) <= {"best_images_per_s", "best_bound_pct"}  # names of its own: no point is compared with it
    assert parent["metrics"]["best_images_per_s"] == runs[parent["tags"]["best"]]["metrics"]["images_per_s"]
    said = json.loads((Path(parent["tags"]["folder"]) / "sweep.json").read_text())["answer"]["text"]
    assert parent["tags"]["mlflow.note.content"].startswith(f"**{said}**")
    assert {run["status"] for run in runs.values()} == {"FINISHED"}


def test_a_run_has_the_same_keys_whatever_was_run_and_numbers_where_numbers_are_meant(stored: list[Any]) -> None:
    runs = [run for run in stored if run["params"]]
    assert len(runs) == 3
    plain = [{key for key in run["metrics"] if not key.startswith("system/")} for run in runs]
    assert plain == [set(METRICS)] * 3
    assert len({frozenset(run["params"]) for run in runs}) == 1
    for run in runs:
        for key in ("workers", "threads_per_worker", "tf.intra_op", "tf.inter_op", "images"):
            assert run["params"][key].isdigit(), key
    assert {run["params"]["workers"] for run in runs} == {"1", "2"}  # sequential has one, whatever it was told


def test_trials_are_the_steps_of_a_metric_and_its_value_is_their_median(stored: list[Any]) -> None:
    for run in stored:
        for key in METRICS if run["params"] else ():
            steps, values = zip(*run["history"][key], strict=True)
            assert steps == (0, 1, 2, 3)
            assert values[3] == sorted(values[:3])[1] == run["metrics"][key]


def test_a_run_says_what_it_was_made_of_and_how_to_repeat_it(recorded: Path, stored: list[Any]) -> None:
    record = json.loads((point_in(recorded) / "result.json").read_text())
    (run,) = (run for run in stored if run["name"] == "sequential")
    assert run["tags"]["mlflow.user"] == record["environment"]["user"]
    assert run["tags"]["host"] == socket.gethostname()
    assert run["tags"]["command"] == record["command"]
    assert run["tags"]["mlflow.source.name"] == "runner"
    assert "-m runner rerun" in run["tags"]["mlflow.note.content"]
    assert "images/s" in run["tags"]["mlflow.note.content"]
    assert {"config.yaml", "images", "result.json", "runner.log", "samples.csv", "trace.json"} == set(run["artifacts"])
    ((name, digest),) = run["datasets"]
    assert name == "sample"
    assert len(digest) <= 36
    trials = record["trials"]
    assert run["seconds"] == pytest.approx(sum(trial["ended_at"] - trial["started_at"] for trial in trials), abs=0.01)


def test_the_datasets_digest_is_of_the_images_bytes(recorded: Path) -> None:
    point = read_point(point_in(recorded))
    assert point is not None
    first = point_content(point, None).dataset
    record = json.loads(json.dumps(point.record))
    record["images"][0]["sha256"] = "0" * 64
    second = point_content(type(point)(point.folder, record, point.label, point.varying), None).dataset
    assert first is not None
    assert second is not None
    assert first["name"] == second["name"]
    assert first["digest"] != second["digest"]


def test_a_run_carries_the_commit_and_whether_files_differ_from_it(recorded: Path) -> None:
    point = read_point(point_in(recorded))
    assert point is not None
    record = json.loads(json.dumps(point.record))
    record["environment"]["git"] = {"commit": "c" * 40, "dirty": True}
    tags = point_content(type(point)(point.folder, record, point.label, point.varying), None).tags
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["git_dirty"] == "true"


def test_a_verdict_is_in_the_note_of_its_run(recorded: Path) -> None:
    sweep = read_sweep(sweep_in(recorded))
    found = comparison(point="process-w2", baseline="thread-w2", ratio=1.5, low=1.4, high=1.6, verdict="faster")
    judged = type(sweep)(sweep.folder, {**sweep.record, "comparisons": [found]}, sweep.measured)
    notes = [point_content(point, judged).tags["mlflow.note.content"] for point in judged.measured]
    assert "1.50 x [1.40, 1.60], faster" in notes[1]
    assert "faster" not in notes[0]


def test_the_system_metrics_of_a_short_trial_have_cpu_and_memory_over_its_time(stored: list[Any]) -> None:
    (run,) = (run for run in stored if run["name"] == "process-w2")
    for name in ("cpu_utilization_percentage", "resident_memory_sum_megabytes", "processes"):
        assert len(run["history"][f"system/{name}"]) >= 4, name
    assert max(value for _, value in run["history"]["system/processes"]) == 3
    assert len(run["history"]["system/system_memory_usage_megabytes"]) >= 2
    assert run["metrics"]["system/system_memory_usage_megabytes"] == pytest.approx(run["metrics"]["peak_memory_mb"], rel=0.1)


def test_memory_after_the_last_epoch_is_shown_there_however_many_pauses_there_were(recorded: Path) -> None:
    """A trial whose page cache is emptied pauses before each epoch."""
    point = read_point(point_in(recorded))
    assert point is not None
    record = json.loads(json.dumps(point.record))
    for trial in record["trials"]:
        first, last = (place for place, phase in enumerate(trial["phases"]) if phase["name"] == "pause")
        expected = {MOST_SAMPLES: trial["phases"][first]["at"], MOST_SAMPLES + 1: trial["phases"][last]["at"]}
        trial["phases"].insert(first + 1, {"name": "pause", "at": trial["phases"][first]["at"] + 0.001, "wall_s": 0.001})
        trial["memory_at_pauses_bytes"] = [1e6, 2e6]
        found = point_content(replace(point, record=record | {"trials": [trial]}), None).metrics
        memory = {value.step: value.timestamp_ms for value in found if value.key == "system/system_memory_usage_megabytes"}
        assert {step: memory[step] for step in expected} == {step: int(at * 1000) for step, at in expected.items()}


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        ((1.0, 0.9, 1.1), (1.05, 1.0, 1.2), "cannot be said"),  # they overlap, and may be a third apart
        ((1.0, 0.999, 1.001), (1.015, 1.014, 1.016), "agrees"),  # they can differ by 1.7 % at most
        ((1.0, 0.99, 1.01), (1.03, 1.02, 1.06), "differs in this session"),
        ((1.0, 0.99, 1.01), (0.0, 0.0, 0.0), "differs in this session"),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), "agrees"),
        ((1.0, None, None), (1.0, 0.9, 1.1), "cannot be said"),
    ],
)
def test_a_repetition_agrees_where_the_intervals_leave_room_for_hardly_any_difference(
    then: Any, now: Any, outcome: str
) -> None:
    sides: list[Metrics] = [
        {"images_per_s": {"value": value, "low": low, "high": high, "n": 8}} for value, low, high in (then, now)
    ]
    (found,) = (found for found in agreement(*sides) if found.metric == "images_per_s")
    assert found.outcome == outcome


def test_a_long_trials_series_is_thinned_to_means() -> None:
    rows = [{"round": "0", "unix_time_s": str(at / 10), "cpu_pct": str(at % 2 * 200), "phase": "epoch"} for at in range(36_000)]
    found = list(system_metrics(rows, 2.0))
    assert 200 <= len(found) <= MOST_SAMPLES
    assert {value for _, value, _, _ in found} == {50.0}  # of two CPUs
    assert found[-1][2] > 3590 * 1000


def test_gpus_have_mlflows_own_names() -> None:
    row = {
        "round": "0",
        "unix_time_s": "1",
        "gpu_1_utilization_pct": "40",
        "gpu_1_memory_bytes": "2000000",
        "gpu_1_power_w": "",
    }
    found = {key: value for key, value, _, _ in system_metrics([row], 2.0)}
    assert found == {"system/gpu_1_utilization_percentage": 40.0, "system/gpu_1_memory_usage_megabytes": 2.0}


def test_the_table_of_runs_is_told_its_columns(copied: Program, server: str) -> None:
    answer = sync(copied, "--uri", server, "--experiment", "columns")
    assert answer.returncode == 0, answer.stdout
    url = f"{server}/api/2.0/mlflow/experiments/get-by-name?experiment_name=columns"
    with urllib.request.urlopen(url, timeout=20) as found:  # noqa: S310
        tags = {tag["key"]: tag["value"] for tag in json.load(found)["experiment"]["tags"]}
    view = json.loads(tags["mlflow.sharedViewState.runner"])
    columns = view["selectedColumns"]
    assert {"params.`mode`", "params.`workers`", "metrics.`images_per_s`", "metrics.`peak_memory_mb`"} <= set(columns)
    assert tags["mlflow.experimentKind"] == "custom_model_development"
