"""Kills at random moments leave typed, whole records."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from pathlib import Path

import psutil
import pytest
from support.points import Silent, point
from support.program import Program, processes_of
from support.protocol import SMALL, started, trials_on_disk, wait_for

from runner.config.options import Process, Protocol
from runner.sweeps.session import Session
from runner.trial.supervisor import Supervisor


def test_kills_at_random_moments_leave_a_typed_record_and_nothing_else(tmp_path: Path, supervisor: Supervisor) -> None:
    """Twelve trials, each with its own process or one of its workers killed at a moment that nobody has chosen."""
    draw = random.Random(5)
    seen = []
    for turn in range(12):
        subject = point(tmp_path / str(turn), mode=Process(), workers=3, protocol=Protocol(rounds=1, epochs=3, warmup_epochs=1))
        subject.config.images = 60
        killer = Killer(draw.random() * 0.9, whom=draw.randrange(3))
        Session([subject], 0, killer, supervisor).run()
        killer.join()
        record = json.loads((subject.folder / "result.json").read_text())
        assert record["status"] in {"ok", "killed"}
        assert (record["error"] is None) == (record["status"] == "ok")
        assert len(record["trials"]) == 1
        assert [pid for pid in killer.pids if alive(pid)] == []
        seen.append(record["status"])
    assert seen.count("killed") >= 6


class Killer(Silent):
    """Kills one of a trial's processes so many seconds after it has told of itself."""

    def __init__(self, delay_s: float, whom: int) -> None:
        self.pids: set[int] = set()
        self._whom = whom
        self._timer = threading.Timer(delay_s, self._kill)

    def event(self, event: object) -> None:
        self.pids |= set(getattr(event, "pids", ()))
        if getattr(event, "name", "") == "import":
            self._timer.start()

    def _kill(self) -> None:
        victims = sorted(self.pids)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(victims[self._whom % len(victims)]).kill()

    def join(self) -> None:
        self._timer.join()


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("seed", range(3))
def test_a_conductor_killed_at_a_random_moment_leaves_whole_records(program: Program, marker: str, seed: int) -> None:
    process = started(program, marker, *SMALL, "protocol.rounds=50", "protocol.self_check=false")
    wait_for("a first trial", lambda: trials_on_disk(program.folder), process)
    time.sleep(random.Random(seed).random() * 3)
    process.kill()
    process.communicate()
    assert all(trial["status"] == "ok" for trials in trials_on_disk(program.folder).values() for trial in trials)
    assert not (program.folder / "outputs" / "mlflow.db").exists()  # MLflow hears of a sweep when it is over
    limit = time.monotonic() + 20
    while processes_of(marker):
        assert time.monotonic() < limit
        time.sleep(0.05)
