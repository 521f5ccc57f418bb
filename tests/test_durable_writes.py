"""Whichever change of a file is the last before the disk fails or the program dies: resuming gives the record that there would have been."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.failing_disk import Deed, FailingDisk
from support.program import Program
from support.small_sweep import WORDS, record_of
from support.warm_program import warm

from runner import disk
from runner.errors import StorageError

pytestmark = pytest.mark.slow

# Of all steps, every one is tried by `make chaos`; here as many as there is time for, others for the two deeds.
_TRIED = 3


def swept(folder: Path, deed: Deed, number: int) -> subprocess.CompletedProcess[str]:
    return warm().run(folder, "support.failing_disk", deed, str(number), *WORDS, "hydra.sweep.dir=sweep", "-m")


@functools.cache
def whole() -> tuple[int, Any]:
    """How many steps the sweep takes, and its record."""
    with tempfile.TemporaryDirectory() as scratch:
        answer = swept(Path(scratch), "count", 0)
        assert answer.returncode == 0, answer.stderr
        (steps,) = re.findall(r"^steps: (\d+)$", answer.stdout, re.MULTILINE)
        return int(steps), record_of(Path(scratch, "sweep"))


def is_the_same_after(program: Program, deed: Deed, number: int) -> None:
    folder = program.folder / "sweep"
    ended = swept(program.folder, deed, number)
    assert "Traceback" not in ended.stderr
    begun = (folder / "sweep.json").exists()
    if deed == "fail":
        assert ended.returncode == 1
        assert "the disk is full" in ended.stderr
    again = program("resume=sweep") if begun else swept(program.folder, "count", 0)
    assert again.returncode == 0, again.stderr
    assert record_of(folder) == whole()[1]
    assert program("verify", "sweep").returncode == 0


@pytest.mark.parametrize("part", range(_TRIED))
@pytest.mark.parametrize("deed", ["fail", "die"])
def test_a_sweep_is_the_same_after_it_was_resumed(program: Program, deed: Deed, part: int) -> None:
    steps = whole()[0]
    offset = 0 if deed == "die" else 1
    is_the_same_after(program, deed, min(steps - 1, 1 + (2 * part + offset) * steps // (2 * _TRIED)))


@pytest.fixture
def hook() -> Iterator[FailingDisk]:
    failing = FailingDisk("count")
    disk.set_hook(failing)
    yield failing
    disk.set_hook(None)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_file_is_as_it_was_where_it_cannot_be_replaced(tmp_path: Path, hook: FailingDisk, step: int) -> None:
    path = tmp_path / "file"
    disk.write_atomically(path, lambda file: print("before", file=file))
    assert hook.steps == 4
    hook.deed, hook.number, hook.steps = "fail", step, 0
    with pytest.raises(StorageError, match="file: cannot be written: the disk is full"):
        disk.write_atomically(path, lambda file: print("after", file=file))
    assert path.read_text() == "before\n"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_and_then_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "content")  # noqa: PTH112
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    disk.set_hook(lambda step, _: done.append(step))
    try:
        disk.write_atomically(tmp_path / "file", lambda file: print("text", file=file))
    finally:
        disk.set_hook(None)
    assert done == ["create", "write", "content", "move", "sync", "folder"]
