"""Help and tables come from the register, and load nothing heavy."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.forking_program import ForkingProgram
from support.paths import ROOT
from support.program import Program

from runner.commands.dispatch import VERBS
from runner.commands.help import with_table
from runner.config.options import Config
from runner.config.registry import GROUPS, doc_of, files_of, options


@pytest.mark.parametrize(
    "words",
    [
        ["--cfg", "job"], ["--help"], ["mode=thrad"], ["workers=0"], ["workers=0", "task=opencv"], ["task.steps=[x]"],
        ["nonsense"], ["compare", "--help"],
    ],
)  # fmt: skip
def test_nothing_heavy_is_imported_to_show_a_configuration_or_to_refuse_one(program: Program, words: list[str]) -> None:
    imports_none_of(program, words, {"tensorflow", "mlflow", "numpy", "PIL"})


@pytest.mark.parametrize(
    "words",
    [
        ["affinity=999"], ["mode=synthetic_process", "tf.intra_op=4"], ["baseline=nope", "workers=1,2", "-m"], ["mode=thread,process"],
        ["source=folder"], ["experiment=tune", "images=0"], ["experiment=notebook", "mode.nope=3"],
        ["task.steps=[x]"],
    ],
)  # fmt: skip
def test_words_that_mean_one_thing_are_refused_before_hydra_is_loaded(program: Program, words: list[str]) -> None:
    imports_none_of(program, words, {"hydra", "omegaconf"})


def imports_none_of(program: Program, words: list[str], modules: set[str]) -> None:
    """Run the program in a process of its own, which says what of ``modules`` it has imported at its end."""
    script = (
        f"import sys; sys.argv = ['runner', *{words!r}]\n"
        "from runner.commands.dispatch import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"imported = {modules!r} & set(sys.modules)\n"
        "sys.exit(f'imported {imported}' if imported else 0)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout or answer.stderr


@pytest.mark.parametrize(
    "module",
    ["runner.commands.run", "runner.sweeps.session", "runner.sweeps.sweep", "runner.sweeps.point", "runner.display.summary"],
)
def test_the_conductor_never_imports_tensorflow(module: str) -> None:
    script = f"import sys, {module}; sys.exit('tensorflow' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60, check=False).returncode == 0


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["run", "--help"]])
def test_help_says_what_every_command_option_and_key_is(program: Program, words: list[str]) -> None:
    answer = program(*words)
    assert answer.returncode == 0
    assert answer.stderr == ""
    for verb, doc in VERBS.items():
        assert f"  {verb.ljust(2 + max(map(len, VERBS)))}{doc}\n" in answer.stdout
    for group in (*GROUPS, "experiment"):
        section = answer.stdout.partition(f"\n  {group}: ")[2].partition("\n\n")[0]
        for option in options().get(group, files_of(group)):
            assert re.search(rf"^    {option} +{re.escape(doc_of(group, option))}$", section, re.MULTILINE), option
    for spec in dataclasses.fields(Config):
        assert spec.metadata["doc"] in answer.stdout
    assert "  workers=15 " in answer.stdout
    assert "--hydra-help" in answer.stdout


def test_help_on_an_option_shows_its_fields_with_their_defaults_and_what_they_accept(program: Program) -> None:
    answer = program("mode=process", "source=file", "--help")
    assert "mode.start_method=auto" in answer.stdout
    assert "one of auto, fork, forkserver, spawn" in answer.stdout
    assert "source.path=..." in answer.stdout
    assert "experiment" not in answer.stdout


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_command_has_help(forking: ForkingProgram, verb: str) -> None:
    answer = forking.run(Path.cwd(), "runner.commands.dispatch", verb, "--help")
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"usage: runner {verb}")


def test_hydras_own_help_is_still_there(program: Program) -> None:
    assert "--multirun" in program("--hydra-help").stdout


@pytest.mark.parametrize("words", [["--help"], ["nonsense"]])
def test_help_and_the_refusal_of_a_command_load_nothing_heavy(program: Program, words: list[str]) -> None:
    heavy = ["hydra", "omegaconf", "yaml", "numpy", "psutil", "PIL", "tensorflow", "mlflow"]
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print(set({heavy}) & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr.endswith("set()\n"), answer.stderr


# What each command is given that it refuses.
_REFUSED = {
    "compare": ["nowhere"], "recommend": ["nowhere"], "plan": ["nowhere", "--images=5"], "rerun": ["nowhere"], "sync": ["nowhere"],
    "report": ["nowhere"], "trace": ["nowhere"], "gather": ["nowhere"], "verify": ["nowhere"], "export": ["nowhere", "--csv"],
    "decide": ["nowhere"], "diagnose": ["mode=a"], "gate": ["--old", "mode=a", "--new", "mode=b"], "profile": ["nowhere"],
    "history": ["--uri", "sqlite:///nowhere.db"], "doctor": ["--nope"], "completion": ["tcsh"], "ui": ["--nope"],
}  # fmt: skip


def test_each_command_has_something_that_it_refuses() -> None:
    assert _REFUSED.keys() == VERBS.keys()


@pytest.mark.parametrize(
    "words",
    [
        ["workers=0"],
        ["workers=1,0", "-m"],
        ["source=folder", "source.path=nowhere"],
        *([verb, *words] for verb, words in _REFUSED.items()),
    ],
    ids=" ".join,
)
def test_a_refusal_loads_no_numpy(program: Program, words: list[str]) -> None:
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print({{'numpy', 'scipy', 'mlflow'}} & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.stderr.endswith("set()\n"), answer.stderr


@pytest.mark.parametrize("words", [["workers=1,0", "-m"], ["wrokers=3"], ["mode=thread,thraed", "-m"], ["experiment=notebok"]])
def test_a_word_that_is_wrong_by_itself_is_refused_before_hydra_is_loaded(program: Program, words: list[str]) -> None:
    script = f"import sys; sys.argv = ['runner', *{words}]\nfrom runner.commands.dispatch import main\ntry: main()\nfinally: print({{'hydra'}} & set(sys.modules), file=sys.stderr)"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=program.folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    assert answer.stderr.endswith("set()\n"), answer.stderr


def test_an_option_from_a_config_dir_of_ones_own_is_not_refused(program: Program) -> None:
    preset = program.folder / "own" / "experiment" / "mine.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text("# @package _global_\nworkers: 3\n")
    answer = program("--config-dir", "own", "--cfg", "job", "experiment=mine")
    assert answer.returncode == 0, answer.stderr
    assert "workers: 3" in answer.stdout


def test_the_page_of_choices_has_the_table_of_the_register() -> None:
    page = (ROOT / "docs" / "choices.md").read_text(encoding="utf-8")
    assert page == with_table(page), "make table writes it"


@pytest.mark.parametrize("group", [*GROUPS, "experiment"])
def test_every_option_says_in_a_sentence_what_it_is(group: str) -> None:
    for option in options().get(group, files_of(group)):
        assert 10 < len(doc_of(group, option)) < 160, option
