"""A clock that is set while the program runs changes no duration."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from support.points import Silent, point

from runner.config.options import Pillow, Protocol
from runner.host.clock import unix_time
from runner.record.reading import PointRecord, read_result
from runner.sweeps.session import Session
from runner.tracking.content import point_content
from runner.trial.supervisor import Supervisor


@pytest.mark.parametrize("jump_s", [-3600.0, 86_400.0])
def test_durations_are_right_though_the_clock_jumps_in_a_trial(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, jump_s: float
) -> None:
    real, calls = time.time, 0

    def jumping() -> float:
        nonlocal calls
        calls += 1
        return real() + jump_s * (calls // 2)

    unix_time()
    subject = point(tmp_path / "point", task=Pillow(), protocol=Protocol(rounds=3))
    monkeypatch.setattr(time, "time", jumping)
    Session([subject], 0, Silent(), supervisor).run()
    record = read_result(subject.folder / "result.json")
    spans = [trial["ended_at"] - trial["started_at"] for trial in record["trials"]]
    assert all(0 < span < 600 for span in spans)
    starts = [trial["started_at"] for trial in record["trials"]]
    assert 0 < starts[-1] - starts[0] < 600
    content = point_content(PointRecord(subject.folder, record, "point", []), None)
    assert 0 < content.end_ms - content.start_ms < 600_000


def test_the_clock_is_the_systems() -> None:
    assert abs(unix_time() - time.time()) < 60
