"""Sweeps whose points other launchers run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from support.photos import photo
from support.program import Program

SHORT = ("task=pillow", "mode=thread", "images=4", "protocol.epochs=1", "protocol.warmup_epochs=0")


def warnings_in(sweep: Any) -> dict[str, str]:
    return {warning["kind"]: warning["message"] for warning in sweep["warnings"]}


@pytest.fixture(scope="module")
def submitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A folder in which submitit's jobs have run a sweep of three points, of which one fails; exit status and output."""
    folder = tmp_path_factory.mktemp("submitted")
    photo(folder / "good" / "a.jpg")
    photo(folder / "fair" / "a.jpg")
    (folder / "bad").mkdir()
    (folder / "bad" / "a.jpg").write_bytes(b"no image")
    words = ("source=folder", "source.path=good,fair,bad", "workers=1", "protocol.rounds=6")
    answer = Program(folder)("hydra/launcher=submitit_local", *SHORT, *words, "-m")
    return folder, answer.returncode, answer.stdout + answer.stderr


@pytest.fixture
def copied_jobs(submitted: tuple[Path, int, str], program: Program) -> Program:
    """The program in a folder with a copy of what they recorded."""
    shutil.copytree(submitted[0] / "outputs", program.folder / "outputs", ignore=shutil.ignore_patterns("mlflow.db*"))
    return program
