"""MLflow's database is made whole or not at all."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.program import Program
from support.stores import runs_at
from support.tracking import sync

if sys.platform == "win32":
    pytest.skip("signals and limits of POSIX", allow_module_level=True)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")]


def half_made(folder: Path) -> list[Path]:
    return [path for path in folder.glob(".mlflow.db.*") if path.name != ".mlflow.lock" and path.stat().st_size]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_program_that_is_ended_while_it_makes_the_store_leaves_none_and_the_next_one_makes_it(
    copied: Program, number: signal.Signals
) -> None:
    words = [sys.executable, "-m", "runner", "sync", "outputs"]
    process = subprocess.Popen(words, cwd=copied.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    limit = time.monotonic() + 120
    while not half_made(copied.folder / "outputs"):  # the tables are being made
        assert time.monotonic() < limit
        assert process.poll() is None, "it ended before it had made anything"
        time.sleep(0.002)
    process.send_signal(number)
    process.wait(60)
    assert not (copied.folder / "outputs" / "mlflow.db").exists()
    answer = sync(copied)
    assert answer.returncode == 0, answer.stdout
    assert len(runs_at(f"sqlite:///{copied.folder}/outputs/mlflow.db")) == 4
    assert not half_made(copied.folder / "outputs")
    assert not list((copied.folder / "outputs").glob(".mlflow.db.*"))


def test_a_store_that_an_earlier_version_left_half_made_gets_one_message_that_says_what_to_do(copied: Program) -> None:
    with contextlib.closing(sqlite3.connect(copied.folder / "outputs" / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE experiments (x)")
        connection.commit()
    answer = sync(copied)
    assert answer.returncode == 1
    assert answer.stdout.count("or only half made: a program was ended while it made it. Move it away") == 1
    assert "Traceback" not in answer.stdout + answer.stderr
    (copied.folder / "outputs" / "mlflow.db").rename(copied.folder / "away")
    assert sync(copied).returncode == 0
