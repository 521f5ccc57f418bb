"""Options of one's own: a folder on Python's path, one file of code and one YAML file for each, and nothing else touched."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.program import Program

EXAMPLE = Path(__file__).with_name("plugin_example")
GROUPS = ("mode", "source", "task", "sink")
ALL = [f"{group}=mine" for group in GROUPS]
QUICK = ["protocol=once", "tracking=none", "monitor=off"]


def path_with(folder: Path) -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def record_in(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("outputs/runs/*/*/result.json")
    record: dict[str, Any] = json.loads(path.read_text())
    return record | {"folder": path.parent}


def test_a_mode_a_source_a_task_and_a_sink_from_a_folder_of_ones_own_run_together(program: Program) -> None:
    answer = program.cold(*ALL, "mode.word=ahoy", "source.count=2", "images=6", *QUICK, **path_with(EXAMPLE))
    assert answer.returncode == 0, answer.stderr
    record = record_in(program.folder)
    (trial,) = record["trials"]
    assert (trial["epochs"][0]["images_ok"], trial["backend"]) == (6, {"word": "ahoy"})
    assert len(record["images"]) == 2
    assert record["config"]["mode"] == {"name": "mine", "word": "ahoy"}
    assert trial["sink"]["checked"]
    assert (record["folder"] / "mine.txt").read_text().splitlines() == [f"{item} 64" for item in range(6)]


@pytest.mark.parametrize("method", ["auto", "spawn"])
def test_worker_processes_find_it_however_they_are_started(program: Program, method: str) -> None:
    mode = ["mode=process", f"mode.start_method={method}", "workers=2"]
    answer = program.cold(*mode, *ALL[1:], "images=8", *QUICK, **path_with(EXAMPLE))
    assert answer.returncode == 0, answer.stderr
    record = record_in(program.folder)
    assert record["trials"][0]["epochs"][0]["images_ok"] == 8
    lines = (record["folder"] / "mine.txt").read_text().splitlines()
    assert sorted(int(line.split()[0]) for line in lines) == list(range(8))


def test_it_can_be_swept_compared_and_run_again(program: Program) -> None:
    words = ["mode=mine,thread", "workers=2", *ALL[1:], "images=4", *QUICK]
    answer = program.cold(*words, "-m", **path_with(EXAMPLE))
    assert answer.returncode == 0, answer.stderr
    (sweep,) = program.folder.glob("outputs/sweeps/*/*/sweep.json")
    assert [point["name"] for point in json.loads(sweep.read_text())["points"]] == ["mine-w1", "thread-w2"]
    again = program.cold("rerun", str(sweep.parent), **path_with(EXAMPLE))
    assert again.returncode == 0, again.stderr
    outcomes = json.loads(next(program.folder.glob("outputs/sweeps/*/*/rerun.json")).read_text())["points"]
    assert [(outcome["same_configuration"], outcome["same_results"]) for outcome in outcomes] == [(True, True)] * 2


def test_a_record_from_somebody_who_has_it_selects_nothing_where_it_is_not_installed(program: Program) -> None:
    assert program.cold(*ALL, "images=2", *QUICK, **path_with(EXAMPLE)).returncode == 0
    answer = program("rerun", str(record_in(program.folder)["folder"]))
    assert answer.returncode == 1
    assert answer.stderr.startswith("mode='mine': there is no such mode"), answer.stderr


def test_help_and_refusals_know_it(program: Program) -> None:
    path = path_with(EXAMPLE)
    assert (
        "    mine               One image after the other, with a word for the record\n"
        in program.cold("--help", **path).stdout
    )
    assert "mode.word=hello" in program.cold("mode=mine", "--help", **path).stdout
    for words, key, accepted in [
        (["mode=mien"], "mode=mien: there is no such mode; did you mean mine?", ", mine\n"),
        (["mode=mine", "mode.wrod=x"], "mode.wrod=x: mode=mine has no such field; did you mean word?", "word"),
        (["source=mine", "source.count=0"], "source.count=0: is out of range", "from 1 to 256"),
        (["sink=mine", "sink.file=a/b"], "sink.file=a/b: is a path", "a name without folders"),
    ]:
        answer = program.cold(*words, **path)
        assert answer.returncode == 1
        assert answer.stderr.startswith(key), answer.stderr
        assert accepted in answer.stderr
    assert "mine" not in program("--help").stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "mode" / "mine.yaml").unlink(), "mode=mine: has no YAML file"),
        (
            lambda folder: (folder / "mode" / "mine.py").write_text("import nowhere"),
            "runner_plugins=runner_plugins.mode.mine: cannot be imported: ModuleNotFoundError",
        ),
        (
            lambda folder: (folder / "task" / "mine.py").write_text(
                (folder / "task" / "mine.py").read_text().replace('name("mine")', 'name("math")')
            ),
            "task=math: is the name of two options",
        ),
    ],
    ids=["no YAML", "cannot be imported", "a name twice"],
)
@pytest.mark.parametrize("words", [["--cfg", "job"], ["--help"]], ids=" ".join)
def test_what_is_wrong_with_it_is_said_in_one_message(program: Program, change: Any, message: str, words: list[str]) -> None:
    folder = program.folder / "path"
    shutil.copytree(EXAMPLE, folder)
    change(folder / "runner_plugins")
    answer = program.cold(*words, **path_with(folder))
    assert answer.returncode == 1
    assert answer.stderr.startswith(message), answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 2
