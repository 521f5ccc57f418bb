"""Whatever is damaged in a record, every command says what it met, or does without; none ends in a traceback, and none waits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damaged import COMPOSING, DAMAGES, QUICK, SLOW, VALUES, Change, fresh, tracebacks
from support.program import Program
from support.records import OLD
from support.small_sweep import WORDS

CHANGES = st.builds(
    Change, st.integers(0, 5000), st.sampled_from(["replace", "replace", "remove", "twice"]), st.integers(0, len(VALUES) - 1)
)

# An example is ten commands.
FEW = settings(settings.get_profile("suite"), max_examples=max(20, settings().max_examples // 5))


@pytest.fixture(scope="module")
def recent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep as this version records it."""
    program = Program(tmp_path_factory.mktemp("recent"))
    answer = program(*WORDS, "-m")
    assert answer.returncode == 0, answer.stderr
    (found,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    return found


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged")


def test_a_whole_record_is_read_by_every_command(recent: Path, scratch: Path) -> None:
    folder = fresh(recent, scratch / "whole")
    for name, verb in (QUICK | COMPOSING).items():
        if name not in {"trace", "resume"}:  # of a point; asks for what the record names
            verb(folder)


@FEW
@given(CHANGES, st.sampled_from(["sweep.json", "0/result.json", "1/result.json"]))
def test_one_change_in_an_old_record(scratch: Path, change: Change, name: str) -> None:
    folder = fresh(OLD, scratch / "old")
    change.made_to(folder / name)
    assert tracebacks(folder) | tracebacks(folder / "0") == {}


@FEW
@given(CHANGES, st.sampled_from(["sweep.json", "0/result.json", "1/result.json"]))
def test_one_change_in_a_record_of_today(recent: Path, scratch: Path, change: Change, name: str) -> None:
    folder = fresh(recent, scratch / "today")
    change.made_to(folder / name)
    assert tracebacks(folder) | tracebacks(folder / "0") == {}


@settings(FEW, max_examples=FEW.max_examples // 4)
@given(CHANGES, st.sampled_from(["sweep.json", "0/result.json"]))
def test_one_change_in_a_record_that_is_to_be_run_again(recent: Path, scratch: Path, change: Change, name: str) -> None:
    folder = fresh(recent, scratch / "again")
    change.made_to(folder / name)
    assert tracebacks(folder, COMPOSING) == {}


@pytest.mark.parametrize("damage", DAMAGES)
def test_any_file_that_is_damaged_as_a_whole(recent: Path, scratch: Path, damage: str) -> None:
    names = sorted(path.relative_to(recent) for path in recent.rglob("*") if path.is_file() and path.suffix != ".png")
    found = {}
    for name in names:
        folder = fresh(recent, scratch / "one")
        DAMAGES[damage](folder / name)
        if raised := tracebacks(folder) | tracebacks(folder / "0"):
            found[str(name)] = raised
    assert found == {}


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
def test_a_report_and_mlflow_do_without_what_is_damaged(recent: Path, scratch: Path, number: int) -> None:
    folder = fresh(recent, scratch / "slow")
    name = ["sweep.json", "0/result.json", "0/samples.csv", "0/images"][number]
    path = folder / name if (folder / name).is_file() else next((folder / name).iterdir())
    DAMAGES["half"](path)
    assert os.path.lexists(path)
    assert tracebacks(folder, SLOW) == {}
