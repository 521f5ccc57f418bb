"""The program as other programs and notebooks call it: results as values, errors as exceptions, and the process left as it was."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from support.paths import ROOT
from support.photos import photo
from support.small_sweep import RUN, WORDS

import runner
from runner import api
from runner.api.words import words_of
from runner.commands import decide as command
from runner.config.options import Config
from runner.config.registry import KEYS
from runner.errors import ConfigurationError, RunnerError

NAMES = {"Decision", "Run", "Sweep", "__version__", "decide", "errors", "load", "run", "sweep", "tune"}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[runner.Sweep]:
    """A sweep of two points, measured from here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("swept"))
        yield runner.sweep(*WORDS)


def test_the_names_that_programs_may_use_are_these_and_each_says_what_it_is() -> None:
    assert set(runner.__all__) == set(dir(runner)) == NAMES
    assert set(api.__all__) == NAMES - {"__version__", "errors"}
    for name in api.__all__:
        thing = getattr(runner, name)
        assert thing is getattr(api, name)
        assert inspect.getdoc(thing)
    for name in ("sweep", "run", "tune", "load", "decide"):
        assert "Raises:" in (inspect.getdoc(getattr(runner, name)) or "")
    assert (ROOT / "runner" / "py.typed").is_file()


def test_a_name_that_is_not_there_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sweeep'"):
        _ = runner.sweeep


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"hydra", "omegaconf", "tensorflow", "pandas", "numpy", "mlflow", "rich", "runner.api", "runner.errors"}
    script = f"import sys, runner; dir(runner); sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


def test_a_sweep_is_what_its_record_says(swept: runner.Sweep) -> None:
    record = json.loads((swept.folder / "sweep.json").read_text())
    assert swept.record == record
    assert record["answer"]["text"] in swept.answer == str(swept)
    assert list(swept.ranking.index) == [one["point"] for one in record["ranking"]]
    assert list(swept.ranking["value"]) == [one["value"] for one in record["ranking"]]
    assert list(swept.table.index) == [point.name for point in swept.points] == ["sequential", "thread-w1"]
    assert list(swept.table.columns[:2]) == ["mode", "status"]
    medians = [point["metrics"]["images_per_s"]["value"] for point in record["points"]]
    assert list(swept.table["images_per_s"]) == medians
    assert [point.metrics.loc["images_per_s", "value"] for point in swept.points] == medians
    assert {point.status for point in swept.points} == {"ok"}
    assert swept.report == swept.folder / "report.html"
    assert not swept.interrupted


def test_its_record_says_which_command_does_the_same(swept: runner.Sweep) -> None:
    assert swept.record["command"].endswith(f"-m runner -m {' '.join(WORDS)}")


def test_a_notebook_shows_the_answer_the_ranking_and_pictures_and_nothing_that_runs_or_is_fetched(swept: runner.Sweep) -> None:
    shown = swept._repr_html_()
    for text in (swept.record["points"][0]["name"], "stands", 'src="data:image/svg+xml;base64,'):
        assert text in shown
    assert "<script" not in shown
    assert "http" not in shown
    assert len(shown) < 400_000
    assert swept.points[0].name in swept.points[0]._repr_html_()


def test_what_was_measured_is_loaded_from_its_folder(swept: runner.Sweep) -> None:
    again = runner.load(str(swept.folder))
    assert again == swept
    assert runner.load(swept.points[1].folder).folder == swept.points[1].folder
    with pytest.raises(RunnerError, match="holds no record"):
        runner.load("nowhere")


def test_a_run_is_the_point_that_was_measured(tmp_path: Path) -> None:
    run = runner.run(*RUN, protocol="once", tracking="none")
    assert run.status == "ok"
    assert run.error is None
    assert run.config["task"]["size"] == 8
    assert run.folder.is_relative_to(tmp_path / "outputs" / "runs")
    assert run.metrics.loc["images_ok", "value"] == 2


def test_a_run_that_fails_says_why_and_the_next_one_is_none_the_worse_for_it() -> None:
    failed = runner.run(*RUN, "protocol=once", "protocol.timeout_s=0.001", "tracking=none")
    assert failed.status == "timeout"
    assert failed.error is not None
    assert failed.error["type"] == "TrialTimeout"
    assert "timeout" in failed._repr_html_() or "failed" in failed._repr_html_()
    assert runner.run(*RUN, protocol="once", tracking="none").status == "ok"


@pytest.mark.parametrize(
    ("overrides", "choices", "message"),
    [
        (["mode=thraed"], {}, "mode=thraed: there is no such mode; did you mean thread?"),
        ([], {"workers": [1, 0]}, "workers=0: is out of range"),
        ([], {"wrokers": 1}, "wrokers=1: there is no such key; did you mean workers?"),
        ([], {"workers": []}, r"workers=\[\]: has no value"),
        ([], {"workers": object()}, "workers=<object object at .*: is no plain value"),
        (["--help"], {}, "overrides='--help': is no choice"),
        ([5], {}, "overrides=5: is no choice"),
        (["images=$x", "workers=1,2"], {}, r"images=\$x: is out of range"),
        (["baseline=nope"], {"workers": [1, 2]}, "baseline=nope: there is no such point"),
        (["source.path=https://me:hunter2hunter2@h/x", "source=folder"], {}, r"source.path=https:/\*\*\*@h/x: does not exist"),
        (["resume=nowhere"], {}, "resume=nowhere: is not the folder of a sweep or a run"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_an_error_of_this_programs_and_leaves_nothing(
    overrides: list[Any], choices: dict[str, Any], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        runner.sweep(*overrides, **choices)
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    assert "hunter2" not in f"{refused.value}{refused.value.given}"
    assert capfd.readouterr() == ("", "")
    assert not Path("outputs").exists()


def test_one_configuration_and_several_are_not_mistaken_for_each_other(swept: runner.Sweep) -> None:
    for call, key in (
        (lambda: runner.run("experiment=threads_vs_processes"), "experiment"),
        (lambda: runner.run(workers="1,2"), "workers"),
        (lambda: runner.run(resume=swept.folder), "resume"),
        (lambda: runner.sweep(resume=swept.points[0].folder), "resume"),
        (lambda: runner.tune("nowhere"), "source.path"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            call()
        assert refused.value.key == key


def test_choices_are_taken_as_values_whatever_is_in_a_text(tmp_path: Path) -> None:
    odd = tmp_path / "a, b = ${c}'s"
    photo(odd / "1.jpg", (64, 48))
    task = {"task": "pillow", "task.size": 8, "mode": "sequential", "images": 1}
    with pytest.raises(ConfigurationError, match="would be evaluated"):
        runner.run(source="folder", **{"source.path": odd})
    odd = odd.rename(tmp_path / "a, b = c's")
    run = runner.run(source="folder", protocol="once", tracking="none", monitor="off", **{"source.path": odd}, **task)
    assert run.config["source"]["path"] == str(odd)


def test_a_text_may_hold_several_choices_unless_a_space_may_belong_to_a_value() -> None:
    assert words_of(["mode=thread workers=2", "images=3"], {}, swept=False) == ["mode=thread", "workers=2", "images=3"]
    for one in ("source.path='a b=c'", "source.path=a b", "task.steps=[decode, resize]"):
        assert words_of([one], {}, swept=False) == [one]


def test_every_key_can_be_given_as_a_keyword() -> None:
    assert all(key.isidentifier() for key in KEYS)
    assert set(KEYS) == set(Config.__dataclass_fields__)


def test_a_call_leaves_hydra_and_the_process_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("a: 1\n")
    store = ConfigStore.instance()
    store.store(group="schema", name="mine", node={"x": 1}, provider="test")
    words, path, environment = list(sys.argv), list(sys.path), dict(os.environ)
    out, terminated = sys.stdout, signal.getsignal(signal.SIGTERM)
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        runs: list[runner.Run] = []
        # In a thread, where no signal can be handled.
        thread = threading.Thread(target=lambda: runs.append(runner.run(*RUN, protocol="once", tracking="none")))
        thread.start()
        thread.join()
        assert runs[0].status == "ok"
        assert GlobalHydra.instance().hydra is before
        assert compose("config", overrides=["a=2"]) == {"a": 2}
    assert ConfigStore.instance() is store
    assert "mine.yaml" in store.repo["schema"]
    assert (sys.argv, sys.path, dict(os.environ)) == (words, path, environment)
    assert sys.stdout is out
    assert signal.getsignal(signal.SIGTERM) is terminated


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_an_interrupted_sweep_comes_back_with_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time\ndef go(data):\n    time.sleep(0.02)\n    open('handled', 'a').write('x')\n    return data\n"
    )
    images, over = 40, threading.Event()

    def interrupt_the_second_trial() -> None:
        handled = tmp_path / "handled"
        # A trial handles each image twice: in an epoch, and to check its result.
        while not (handled.exists() and handled.stat().st_size > 2 * images + images // 4):
            if over.wait(0.05):
                return
        os.kill(os.getpid(), signal.SIGINT)

    watching = threading.Thread(target=interrupt_the_second_trial)
    watching.start()
    own = {"task": "function", "task.function": "slow:go"}
    rounds = {"protocol": "quick", "protocol.rounds": 3, "protocol.epochs": 1, "protocol.warmup_epochs": 0}
    try:
        sweep = runner.sweep(
            "mode=sequential,thread", workers=1, images=images, monitor="off", tracking="none", **own, **rounds
        )
    finally:
        over.set()
        watching.join()
    assert sweep.interrupted
    assert "cut short" in sweep.answer
    assert sweep.points
    assert all(point.interrupted for point in sweep.points)
    assert str(tmp_path) not in sys.path


@pytest.mark.slow
@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_script_without_a_guard_is_not_run_again_by_the_processes_of_trials(method: str, tmp_path: Path) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("this system has no fork server")
    (tmp_path / "script.py").write_text(
        "import multiprocessing, runner\n"
        "with open('ran', 'a') as file: file.write('x')\n"
        f"multiprocessing.get_all_start_methods = lambda: [{method!r}]\n"
        f"assert runner.run(*{RUN}, protocol='once', tracking='none').status == 'ok'\n"
    )
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=200, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "ran").read_text() == "x"


def frame() -> pd.DataFrame:
    rows = [(name, turn, value + turn / 100) for turn in range(6) for name, value in (("a", 1.0), ("b", 2.0))]
    return pd.DataFrame(rows, columns=["point", "round", "value"])


def test_values_of_another_program_are_decided_as_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame().to_csv("values.csv", index=False)
    decision = runner.decide(frame(), more_is_better=True)
    from runner.commands.dispatch import parser_of

    command.run(parser_of("decide", command).parse_args(["values.csv", "--higher", "--json"]))
    assert decision.record == json.loads(capsys.readouterr().out)
    assert decision.answer == "b is the best: a is worse."
    assert list(decision.ranking.index) == ["b", "a"]
    assert list(decision.comparisons["verdict"]) == ["faster"]


@pytest.mark.parametrize(
    ("changed", "options", "message"),
    [
        ({"value": "seconds"}, {}, "frame: the first line has no column value"),
        ({}, {"baseline": "c"}, "baseline=c: there is no such point\n  accepted: a, b"),
        ({}, {"indifference": 0}, "indifference=0: is out of range"),
    ],
)
def test_what_cannot_be_decided_is_refused(changed: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        runner.decide(frame().rename(columns=changed), more_is_better=True, **options)
    assert message in str(refused.value)


def test_a_row_that_cannot_be_decided_is_named() -> None:
    odd = frame()
    odd.loc[3, "value"] = -1.0
    with pytest.raises(ConfigurationError, match=r"frame, row 3: value=-1.0: is no number above 0"):
        runner.decide(odd, more_is_better=True)
