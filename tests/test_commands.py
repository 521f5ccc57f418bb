"""One program with verbs: what the first word decides, what a wrong one is answered with, and output that is not read to its end."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from support.program import Program

from runner.commands.dispatch import RUN, VERBS

LIGHT = ("task=pillow", "mode=thread", "workers=1", "images=2", "protocol=once", "tracking=none")


def piped(program: Program, reader: str, *words: str) -> tuple[int, str, str]:
    """The exit status and what is on standard error of the program, whose output goes to ``reader``, which prints the last."""
    script = f'"$@" 2> errors | {reader}; echo "${{PIPESTATUS[0]}}" > status'
    command = ["bash", "-c", script, "bash", *program.command(*words)]
    shown = subprocess.run(command, cwd=program.folder, capture_output=True, text=True, timeout=240, check=True).stdout
    status = int((program.folder / "status").read_text())
    return status, (program.folder / "errors").read_text(), shown


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself(program: Program, verb: str) -> None:
    answer = program(verb, "--help")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith(f"usage: runner {verb}")
    assert "***" not in answer.stdout
    assert any(word in answer.stdout for word in ("FOLDER", "FILE", "TARGET", "--port", "--try", ":WORD"))


def test_each_verb_is_a_module_with_the_same_two_functions() -> None:
    for verb in VERBS:
        module = import_module(f"runner.commands.{verb}")
        assert callable(module.configure)
        assert callable(module.run)


@pytest.mark.parametrize(("word", "near"), [("comparee", "compare"), ("reprot", "report"), ("plane", "plan")])
def test_an_unknown_verb_is_refused_with_the_nearest_known_one(program: Program, word: str, near: str) -> None:
    answer = program(word, "somewhere")
    assert answer.returncode == 1
    assert answer.stderr.startswith(f"{word}: there is no such command; did you mean {near}?\n  accepted: {RUN}, ")
    assert answer.stdout == ""


def test_a_word_unlike_any_verb_is_refused_with_the_list_of_them(program: Program) -> None:
    answer = program("xyzzy")
    assert answer.returncode == 1
    assert answer.stderr.startswith("xyzzy: there is no such command\n  accepted: ")
    assert all(verb in answer.stderr for verb in VERBS)
    assert not (program.folder / "outputs").exists()


@pytest.mark.parametrize("first", [(), (RUN,)])
def test_overrides_and_flags_are_the_hydra_programs_with_its_verb_or_without(program: Program, first: tuple[str, ...]) -> None:
    for words in (("mode=process", "--cfg", "job"), ("--cfg", "job", "mode=process"), ("+seed=3", "--cfg", "job")):
        answer = program(*first, *words)
        assert answer.returncode == (1 if "+seed=3" in words else 0), answer.stderr
        assert ("name: process" in answer.stdout) == ("mode=process" in words)


def test_no_module_beside_the_program_is_a_program_of_its_own(program: Program) -> None:
    command = [sys.executable, "-m", "runner.commands.sync", "outputs"]
    answer = subprocess.run(command, cwd=program.folder, capture_output=True, text=True, timeout=60, check=False)
    assert (answer.stdout, answer.returncode) == ("", 0)  # imported, and nothing done


@pytest.mark.parametrize("words", [("--help",), ("compare", "--help"), ("--cfg", "job")])
def test_output_that_is_piped_into_head_ends_without_a_message(program: Program, words: tuple[str, ...]) -> None:
    _, errors, shown = piped(program, "head -n 1", *words)
    assert errors == ""
    assert shown.count("\n") == 1


def test_a_run_whose_output_nobody_reads_goes_on_to_its_end(program: Program) -> None:
    status, errors, _ = piped(program, "true", *LIGHT)
    assert (status, errors) == (0, "")
    (record,) = Path(program.folder).glob("outputs/runs/*/*/result.json")
    assert '"status": "ok"' in record.read_text()
