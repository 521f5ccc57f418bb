"""Records: their types and JSON Schemas, what is refused, and records from before."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import jsonschema
import psutil
import pytest
from support.photos import photo
from support.points import Silent, point
from support.program import Program

from runner.analysis.scaling import laws
from runner.commands.compare import compare, read_points
from runner.commands.rerun import _read
from runner.config.metrics import METRICS
from runner.config.options import Folder, Pillow, Protocol, Sequential
from runner.errors import ConfigurationError, RunnerError
from runner.record.json_schema import schema_texts
from runner.record.metric_schema import MetricName, Metrics, TrialMetrics
from runner.record.reading import name_of, read_point, read_result, read_sweep, read_sweep_json, records_below, workers_of
from runner.record.trace import write_trace
from runner.report.subject import read_subject
from runner.sweep.gathering import sweep_begun_in
from runner.sweep.session import Session
from runner.sweep.sweep import Sweep
from runner.tracking.fetch import _folders
from runner.tracking.note import point_note
from runner.trial.messages import Phase
from runner.trial.supervisor import Supervisor

OLD = Path(__file__).parent / "records" / "schema_1"
SMALL_IMAGES = ["source=synthetic", "source.width=64", "source.height=64", "images=4", "task=pillow", "task.size=8"]


def held_against_schema(path: Path) -> dict[str, Any]:
    """The record in this file, which is as its JSON Schema says."""
    text = next(text for at, text in schema_texts().items() if at.name == f"{path.stem}.schema.json")
    record: dict[str, Any] = json.loads(path.read_text())
    jsonschema.Draft202012Validator(json.loads(text)).validate(record)
    return record


# -------------------------------------------------------------------------------------------- types and schemas


def test_the_schemas_that_are_shipped_are_those_of_the_types() -> None:
    for path, text in schema_texts().items():
        assert path.read_text(encoding="utf-8") == text, "make schema writes it anew"
        jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_every_metric_has_a_type_of_its_own() -> None:
    names = set(get_args(MetricName))
    assert names == set(Metrics.__annotations__) == TrialMetrics.__required_keys__ | TrialMetrics.__optional_keys__
    assert set(METRICS) <= names


def test_a_record_from_before_is_as_the_schema_says() -> None:
    for path in sorted(OLD.rglob("*.json")):
        held_against_schema(path)


def test_a_point_with_damaged_images_is_as_the_schema_says(tmp_path: Path, supervisor: Supervisor) -> None:
    photo(tmp_path / "photos" / "a.jpg", (200, 100))
    (tmp_path / "photos" / "b.jpg").write_bytes(b"this is no image")
    subject = point(tmp_path / "point", source=Folder(path=str(tmp_path / "photos")), task=Pillow())
    Session([subject], 0, Silent(), supervisor).run()
    record = held_against_schema(tmp_path / "point" / "result.json")
    assert record["status"] == "ok"
    assert record["trials"][0]["image_errors"]


class Striking(Silent):
    """Kills the trial in its first epoch."""

    def event(self, event: object) -> None:
        if isinstance(event, Phase) and event.name == "epoch":
            psutil.Process(event.pids[0]).kill()


@pytest.mark.parametrize("status", ["failed", "killed", "timeout"])
def test_a_point_that_does_not_come_to_its_end_is_as_the_schema_says(
    tmp_path: Path, supervisor: Supervisor, status: str
) -> None:
    (tmp_path / "garbage.jpg").write_bytes(b"this is no image")
    changes: dict[str, dict[str, Any]] = {
        "failed": {"source": Folder(path=str(tmp_path))},
        "killed": {},
        "timeout": {"protocol": Protocol(rounds=1, epochs=100_000, warmup_epochs=0, timeout_s=1)},
    }
    subject = point(tmp_path / "point", task=Pillow(), **changes[status])
    Session([subject], 0, Striking() if status == "killed" else Silent(), supervisor).run()
    record = held_against_schema(tmp_path / "point" / "result.json")
    assert (record["status"], record["metrics"]) == (status, {})


def test_a_sweep_with_servers_and_verdicts_is_as_the_schemas_say(program: Program) -> None:
    words = [
        "mode=sequential,thread", "workers=2", "sink=http", "source.serve=true", "monitor.gil_probe=true", "protocol.rounds=2", "protocol.epochs=1",
        "protocol.verdicts=true", "protocol.self_check=true", "tracking=none",
    ]  # fmt: skip
    answer = program(*SMALL_IMAGES, *words, "-m")
    assert answer.returncode == 0, answer.stderr
    (folder,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    sweep = held_against_schema(folder / "sweep.json")
    assert sweep["comparisons"]
    assert sweep["self_check"]
    for number in ("0", "1", "self_check"):
        trial = held_against_schema(folder / number / "result.json")["trials"][0]
        assert trial["services"]
        assert trial["sink"]["checked"]
        assert trial["gil"]


# ---------------------------------------------------------------------------------------------------- refusals


def _resumed(folder: Path) -> None:
    point(folder).restore()


READERS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: read_result(folder / "result.json"),
    "sync": records_below,
    "compare": lambda folder: read_points([folder]),
    "report": read_subject,
    "rerun": _read,
    "trace": write_trace,
    "resume": _resumed,
}
SWEEP_READERS: dict[str, Callable[[Path], object]] = {
    "read": lambda folder: read_sweep_json(folder / "sweep.json"),
    "sync": records_below,
    "compare": lambda folder: read_points([folder]),
    "report": read_subject,
    "rerun": _read,
    "gather": sweep_begun_in,
    "recommend and plan": read_sweep,
    "fetch": lambda folder: _folders(folder / "sweep.json"),
}
NO_RECORDS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "Expecting value"),
    "half": ('{"schema_version": 1, "trials": [', "Expecting value"),
    "no text": (b"\xff\xfe\x00", "codec can't decode"),
    "a list": ("[]", "it is not of the type object"),
    "null": ("null", "it is not of the type object"),
    "no version": ("{}", "its schema_version is None"),
    "a newer one": ('{"schema_version": 99}', "its schema_version is 99, which a newer version of this program has written"),
    "no number": ('{"schema_version": true}', "its schema_version is True"),
    "another program's": ('{"schema_version": "1.0"}', "its schema_version is '1.0'"),
    "NaN": ('{"schema_version": NaN}', "NaN is no number in JSON"),
    "deep": ("[" * 200_000, "maximum recursion depth exceeded"),
    "nothing in it": ('{"schema_version": 1}', "is missing"),
}


@pytest.mark.parametrize("content", NO_RECORDS)
@pytest.mark.parametrize("name", ["result.json", "sweep.json"])
def test_every_reader_refuses_in_the_same_words(tmp_path: Path, name: str, content: str) -> None:
    written, says = NO_RECORDS[content]
    (tmp_path / name).write_bytes(written if isinstance(written, bytes) else written.encode())
    refusals = set()
    for reader in (READERS if name == "result.json" else SWEEP_READERS).values():
        with pytest.raises(RunnerError) as refused:
            reader(tmp_path)
        refusals.add(str(refused.value))
    (refusal,) = refusals
    assert refusal.startswith(f"{tmp_path / name}: is not a record of this program: ")
    assert says in refusal
    assert refusal.endswith(f"\n  accepted: a {name} with schema_version 1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda record: record["trials"][0].pop("phases"), "trials[0].phases is missing"),
        (lambda record: record["trials"][1].update(status="splendid"), "trials[1].status is 'splendid'"),
        (lambda record: record["trials"][0]["epochs"][0].update(work_s="1"), "trials[0].epochs[0].work_s is not of the type number"),
        (lambda record: record["images"].append(3), "images[3] is not of the type object"),
        (lambda record: record["metrics"].update(work_s=None), "metrics.work_s is not of the type object"),
        (lambda record: record.update(config=[]), "config is not of the type object"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong_in_the_record(tmp_path: Path, change: Callable[[Any], object], says: str) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    change(record)
    (tmp_path / "result.json").write_text(json.dumps(record))
    with pytest.raises(RunnerError) as refused:
        read_point(tmp_path)
    assert says in str(refused.value)


def test_keys_that_came_later_are_no_reason_to_refuse(tmp_path: Path) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    record["later"] = record["trials"][0]["later"] = 3
    (tmp_path / "result.json").write_text(json.dumps(record))
    assert read_point(tmp_path) is not None


def test_a_key_that_once_had_another_name_is_read_under_its_name_of_today(tmp_path: Path) -> None:
    record = json.loads((OLD / "0" / "result.json").read_text())
    record["trials"][0]["gil"] = {"wakeups": 9, "held_pct": 5.0, "told_from_waiting_for_a_cpu": True, "probe_cpu_s": 0.0}
    (tmp_path / "result.json").write_text(json.dumps(record))
    gil = read_result(tmp_path / "result.json")["trials"][0]["gil"]
    assert gil == {"wakeups": 9, "held_pct": 5.0, "excludes_cpu_wait": True, "probe_cpu_s": 0.0}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["result.json", "sweep.json"])
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path, name: str) -> None:
    if sys.platform == "win32":
        pytest.skip("takes named pipes")
    os.mkfifo(tmp_path / name)
    for reader in (READERS if name == "result.json" else SWEEP_READERS).values():
        with pytest.raises(RunnerError, match="it is no regular file"):
            reader(tmp_path)


def test_a_folder_without_a_record_is_refused(tmp_path: Path) -> None:
    for reader in [*READERS.values(), *SWEEP_READERS.values()]:
        if reader is _resumed:
            continue  # a new point
        with pytest.raises(RunnerError, match="holds no record"):
            reader(tmp_path)


def test_a_point_is_not_resumed_from_the_record_of_another(tmp_path: Path) -> None:
    shutil.copy(OLD / "0" / "result.json", tmp_path)
    with pytest.raises(ConfigurationError, match="holds another configuration"):
        _resumed(tmp_path)


def test_a_sweep_that_is_begun_again_keeps_its_id_and_one_that_cannot_be_read_is_another(tmp_path: Path) -> None:
    points = [point(tmp_path / "0")]
    shutil.copy(OLD / "sweep.json", tmp_path)
    assert Sweep.of(points, tmp_path).id == read_sweep_json(OLD / "sweep.json")["id"]
    (tmp_path / "sweep.json").write_text("{")
    assert Sweep.of(points, tmp_path).id != read_sweep_json(OLD / "sweep.json")["id"]


# ------------------------------------------------------------------------------------------------------- names


def test_a_lone_sequential_point_has_the_same_name_everywhere(tmp_path: Path) -> None:
    (compared,) = read_points([OLD / "0"])
    (recorded,) = records_below(OLD / "0")
    assert compared.label == point(tmp_path / "point", mode=Sequential(), workers=15).name == "sequential"
    assert getattr(recorded, "label", None) == "sequential"


def test_a_record_that_is_older_than_names_gets_the_one_that_it_would_have() -> None:
    for folder, name, workers in (("0", "sequential", 1), ("1", "thread-w2", 2)):
        record = read_result(OLD / folder / "result.json")
        del record["name"]
        assert (name_of(record), workers_of(record)) == (name, workers)
    record["config"]["mode"] = {"name": "process", "threads_per_worker": 3}
    assert name_of(record) == "process-w2x3"


def test_the_note_in_mlflow_says_that_a_sequential_point_has_one_worker() -> None:
    record = read_result(OLD / "0" / "result.json")
    assert record["config"]["workers"] == 2
    assert point_note(record, [], OLD).startswith("**sequential × 1**")


def test_sequential_points_have_one_worker_so_that_no_scaling_law_is_fitted_to_them() -> None:
    sweep = read_sweep(OLD)
    points = []
    for workers in (1, 2, 4, 8):
        point_ = read_sweep(OLD).measured[0]
        point_.record["config"]["workers"] = workers
        points.append(point_)
    assert sweep.measured[0].record["config"]["mode"]["name"] == "sequential"
    assert laws(points) == {}


# ------------------------------------------------------------------------------------------ records from before


@pytest.fixture
def old(program: Program) -> Path:
    """A copy of a sweep that an earlier version has measured."""
    return Path(shutil.copytree(OLD, program.folder / "old"))


def test_a_record_from_before_is_compared_and_reported(old: Path, program: Program) -> None:
    points = read_points([old])
    assert [point_.label for point_ in points] == ["sequential", "thread-w2"]
    assert {row["point"] for row in compare(points, points[0])} == {"thread-w2"}
    for words in (
        ["compare", "old"],
        ["report", "old"],
        ["report", "--terminal", "old/1"],
        ["recommend", "old"],
        ["trace", "old/1"],
    ):
        answer = program(*words)
        assert answer.returncode == 0, answer.stderr
    assert (old / "report.html").is_file()
    assert (old / "1" / "trace.json").is_file()


def test_a_record_from_before_is_brought_into_mlflow_once(old: Path, program: Program) -> None:
    for said in ("3 runs written", "was there already"):
        answer = program("sync", str(old))
        assert answer.returncode == 0, answer.stderr
        assert said in answer.stdout


def test_a_record_from_before_is_run_again(old: Path, program: Program) -> None:
    answer = program("rerun", "old/1", "tracking=none", "protocol=once")
    assert answer.returncode == 0, answer.stderr
    (repeated,) = program.folder.glob("outputs/runs/*/*/rerun.json")
    (outcome,) = json.loads(repeated.read_text())["points"]
    assert outcome["same_results"] is True
