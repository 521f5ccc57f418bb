"""A function of the user's own as a task."""

from __future__ import annotations

from typing import Any

import pytest
from support.program import Program
from support.trials import Trials

from runner.config.options import (
    Function,
    Process,
    Thread,
)
from runner.config.registry import module_of


def function_trial(trials: Trials, name: str, mode: Any = None) -> Any:
    task = Function(function=f"support.my_functions:{name}")
    return trials.outcome(mode or Process(), task=task, task_module=module_of("task", "function"))


@pytest.mark.parametrize("name", ["lengths", "digest", "tensor"])
def test_a_function_of_ones_own_returns_an_array_or_bytes_or_a_tensor(trials: Trials, name: str) -> None:
    outcome = function_trial(trials, name)
    assert outcome.error is None, outcome.error
    assert outcome.report.epochs[0].records.errors == {}
    assert len(set(outcome.report.verification.digests.values())) == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raising", "ValueError: not these"),
        ("text", "support.my_functions:text returned str; a NumPy array, bytes or a tensor"),
    ],
)
def test_a_function_that_goes_wrong_fails_its_images(trials: Trials, name: str, message: str) -> None:
    report = function_trial(trials, name).report
    assert len(report.epochs[0].records.errors) == 6
    assert all(message in error for error in report.epochs[0].records.errors.values())


@pytest.mark.parametrize("mode", [Thread(), Process()], ids=lambda mode: mode.name)
@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "my_functions has no nothing"), ("NO_FUNCTION", "is no function but int")]
)
def test_a_name_that_is_no_function_fails_the_trial(trials: Trials, name: str, message: str, mode: Any) -> None:
    error = function_trial(trials, name, mode).error
    assert error is not None
    assert error.kind == "ConfigurationError"
    assert f"task.function=support.my_functions:{name}" in str(error)
    assert message in str(error)


def test_a_module_that_cannot_be_imported_fails_the_trial(trials: Trials) -> None:
    task = Function(function="no_such_module:f")
    error = trials.outcome(Process(), task=task, task_module=module_of("task", "function")).error
    assert error is not None
    assert "cannot be imported: No module named 'no_such_module'" in str(error)


def test_a_record_that_names_a_function_is_repeated_only_where_it_is_named_again(program: Program) -> None:
    (program.folder / "mine.py").write_text("def f(data): return data[:100]\n")
    chosen = ["task=function", "task.function=mine:f", "protocol=once", "tracking=none", "workers=1", "images=1"]
    answer = program(*chosen)
    assert answer.returncode == 0, answer.stderr
    (folder,) = (program.folder / "outputs" / "runs").glob("*/*")
    (program.folder / "mine.py").write_text("open('has_run', 'w').close()\n\ndef f(data): return data[:100]\n")
    refused = program("rerun", str(folder))
    assert refused.returncode == 1
    assert refused.stderr.startswith("task.function='mine:f': is code named by the record"), refused.stderr
    assert not (program.folder / "has_run").exists()
    answer = program("rerun", str(folder), "task.function=mine:f", "tracking=none")
    assert answer.returncode == 0, answer.stderr
    assert (program.folder / "has_run").exists()
