"""A record is run again, from its folder or from MLflow."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.program import Program
from support.stores import local_store, runs_at
from support.tracking import point_in, sync

pytestmark = pytest.mark.slow


def rerun(program: Program, *words: str) -> subprocess.CompletedProcess[str]:
    return program("rerun", *words)


def newest(folder: Path, kind: str, name: str) -> Any:
    return json.loads(max(folder.glob(f"outputs/{kind}/*/*/{name}"), key=lambda path: path.stat().st_mtime).read_text())


def test_a_point_is_repeated_from_its_folder_wherever_one_is(copied: Program) -> None:
    original = point_in(copied.folder)
    elsewhere = Program(copied.folder / "elsewhere")
    elsewhere.folder.mkdir()
    answer = rerun(elsewhere, str(original))
    assert answer.returncode == 0, answer.stderr
    again = newest(elsewhere.folder, "runs", "result.json")
    record = json.loads((original / "result.json").read_text())
    assert again["config_hash"] == record["config_hash"]
    assert again["id"] != record["id"]
    assert "Nothing that was recorded of the environment and of the images differs now." in answer.stdout
    assert "The results are the same, byte by byte." in answer.stdout
    outcome = newest(elsewhere.folder, "runs", "rerun.json")
    assert outcome["of"] == record["id"]
    assert outcome["points"][0]["same_results"]
    (folder,) = (path.parent for path in elsewhere.folder.glob("outputs/runs/*/*/result.json"))
    assert (folder / ".hydra" / "config.yaml").is_file()


def test_a_sweep_is_repeated_from_mlflow_by_the_id_of_its_parent_run(copied: Program) -> None:
    sync(copied)
    runs = {run["name"].split(",")[0]: run for run in runs_at(local_store(copied.folder))}
    shutil.rmtree(copied.folder / "outputs" / "sweeps")
    answer = rerun(copied, runs["mode"]["id"], "images=4")
    assert answer.returncode == 0, answer.stderr
    sweep = newest(copied.folder, "sweeps", "sweep.json")
    assert [point["name"] for point in sweep["points"]] == ["thread-w2", "process-w2"]
    assert "No repetition, because the configuration is another one now: all points" in answer.stdout
    assert sweep["command"].endswith(f"-m runner rerun {runs['mode']['id']} images=4")


def test_a_run_is_repeated_from_a_server_and_recorded_there(copied: Program, server: str) -> None:
    sync(copied, "--uri", server, "--experiment", "again")
    (run,) = (run for run in runs_at(server, "again") if run["name"] == "sequential")
    shutil.rmtree(copied.folder / "outputs")
    answer = rerun(copied, run["id"], "--uri", server, "tracking.experiment=again")
    assert answer.returncode == 0, answer.stderr
    again = [found for found in runs_at(server, "again") if found["name"] == "sequential"]
    assert len(again) == 2
    assert len({found["tags"]["config_hash"] for found in again}) == 1


def test_what_differs_now_is_shown_and_intervals_that_are_apart_differ(copied: Program) -> None:
    path = point_in(copied.folder) / "result.json"
    record = json.loads(path.read_text())
    record["environment"]["packages"]["tensorflow"] = "1.0"
    record["images"][0]["sha256"] = "0" * 64
    for metric in record["metrics"].values():
        metric |= {"low": metric["value"] * 1e6, "high": metric["value"] * 2e6, "value": metric["value"] * 1e6}
    record["trials"][0]["digest"] = "0" * 32
    path.write_text(json.dumps(record))
    answer = rerun(copied, str(path.parent), "protocol.rounds=6", "protocol.epochs=1")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"packages tensorflow\s+│ 1\.0", answer.stdout)
    assert "1 of them other" in answer.stdout
    assert "The results differ from the original's: sequential" in answer.stdout
    assert {found["outcome"] for found in newest(copied.folder, "runs", "rerun.json")["points"][0]["metrics"]} == {
        "differs in this session"
    }


PLAIN = ["null", "True", "nan", "1e3", "0x1", "a-b/c.d", "/abs/x.jpg", "_", "a.", "no", "interpolation"]


ODD = ["it's", 'a "b"', "a\\", "a\\'b", "$HOME", "a=b,c", "{x: y}", "[z]", " spaced ", "日本", "#no comment", "%", "a\tb"]


@pytest.mark.parametrize("text", [*PLAIN, *ODD])
def test_any_configuration_comes_back_as_it_was(text: str, program: Program) -> None:
    """Through the record's own words, whatever they are made of."""
    from support.points import point

    from runner.config.check import typed
    from runner.config.compose import composed
    from runner.config.options import Folder, Monitor, ProcessPool, Protocol, Server, Tf
    from runner.config.plain import config_hash, plain
    from runner.config.restore import choices_of
    from runner.config.store import register

    subject = point(program.folder / "point")
    config = subject.config
    config.mode, config.tf, config.workers = ProcessPool(threads_per_worker=3), Tf(2, 5), 7
    config.source = Folder(path=text, pattern=f"*{text}")
    config.protocol, config.monitor = Protocol(rounds=2, precision=0.5), Monitor(enabled=False, interval_s=0.25)
    config.tracking, config.baseline, config.affinity = Server(uri="http://x"), text, "0"
    register()
    again = typed(composed(choices_of(json.loads(json.dumps(plain(config))))))
    assert config_hash(again) == config_hash(config)
    assert again.baseline == text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mode": {"name": "os.system"}}, "there is no such mode"),
        ({"mode": {"_target_": "os.system", "name": "thread"}}, "mode=thread has no such field"),
        ({"source": {"name": "folder", "path": "${oc.env:HOME}", "pattern": "*"}}, "would be evaluated"),
        ({"hydra": {"callbacks": {"x": {"_target_": "os.system"}}}}, "there is no such key"),
        ({"workers": "many"}, "is not accepted"),
        ({"workers": {"a": 1}}, "is not accepted"),
        ({"workers": -1}, "is out of range"),
        ({"mode": "thread"}, "is no mapping"),
        ({"tf": {"intra_op": "1 tf.inter_op=9", "inter_op": 0}}, "is not accepted"),
    ],
)
def test_a_strangers_configuration_is_data_and_refused_where_it_is_not_valid(
    recorded: Path, program: Program, change: dict[str, Any], said: str
) -> None:
    record = json.loads((point_in(recorded) / "result.json").read_text())
    record["config"] |= change
    target = program.folder / "target"
    target.mkdir()
    (target / "result.json").write_text(json.dumps(record))
    answer = rerun(program, str(target))
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (program.folder / "outputs").exists()


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "trials": 3, "overrides": []}']
)
def test_what_is_no_record_is_refused(program: Program, content: str) -> None:
    (program.folder / "result.json").write_text(content)
    answer = rerun(program, ".")
    assert answer.returncode == 1
    assert "record" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("words", [["nowhere"], ["0" * 32], [".", "experiment=notebook"], [".", "workers"]])
def test_a_bad_target_or_choice_is_refused(program: Program, words: Sequence[str]) -> None:
    answer = rerun(program, *words)
    assert answer.returncode == 1
    assert answer.stderr.strip()
    assert "Traceback" not in answer.stderr


def test_another_way_to_do_the_work_is_run_in_turn_with_the_recorded_one(copied: Program) -> None:
    answer = rerun(
        copied,
        str(point_in(copied.folder)),
        "task=pillow",
        "protocol.rounds=2",
        "protocol.verdicts=true",
        "protocol.self_check=false",
    )
    assert answer.returncode == 0, answer.stderr
    sweep = newest(copied.folder, "sweeps", "sweep.json")
    assert ["task=pillow" in point["overrides"] for point in sweep["points"]] == [False, True]
    assert len(sweep["points"]) == 2
    assert {one["n"] for one in sweep["comparisons"]} == {2}  # in the same rounds


def test_a_changed_sweep_is_run_in_turn_with_itself_as_recorded_and_each_point_gets_a_verdict(program: Program) -> None:
    light = ("mode=sequential", "workers=1", "images=2", "task=pillow", "task.size=8,9", "monitor=off", "tracking=none")
    assert program(*light, "protocol=quick", "protocol.self_check=false", "-m").returncode == 0
    (folder,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    answer = rerun(program, str(folder), "mode=thread")
    assert answer.returncode == 0, answer.stderr
    (path,) = program.folder.glob("outputs/sweeps/*/*/rerun.json")
    in_turn = json.loads(path.read_text())["in_turn"]
    assert [(one["baseline"], one["point"]) for one in in_turn] == [
        ("sequential task.size=8", "thread-w1 task.size=8"),
        ("sequential task.size=9", "thread-w1 task.size=9"),
    ]
    assert {(one["metric"], one["n"]) for one in in_turn} == {("images_per_s", 3)}
    assert "in turn in this session" in answer.stdout
