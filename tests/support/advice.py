"""A sweep that advice is taken from."""

from __future__ import annotations

import pytest

from runner.record.trial_schema import GoodTrial
from support.made_records import epoch, good_trial
from support.program import Program


def trial(place: int, images_per_s: float, cpu_s: float, memory_mb: float, latency_ms: float) -> GoodTrial:
    latency_s = latency_ms / 1e3
    only = epoch(
        images_per_s=images_per_s, images_ok=100, cpu_s=cpu_s * 100,
        latency_p50_s=latency_s, latency_p95_s=latency_s, latency_p99_s=latency_s,
    )  # fmt: skip
    return good_trial(round=place, epochs=[only], peak_memory_bytes=int(memory_mb * 1e6))


@pytest.fixture(scope="module")
def advised(tmp_path_factory: pytest.TempPathFactory) -> Program:
    program = Program(tmp_path_factory.mktemp("swept"))
    words = ["mode=thread,process", "mode.start_method=auto", "workers=1,2", "images=8", "tracking=none"]
    answer = program(*(word for word in words if "start" not in word), "protocol=quick", "protocol.rounds=7", "-m")
    assert answer.returncode == 0, answer.stderr
    return program


def folder_of(program: Program) -> str:
    (found,) = (path.parent for path in program.folder.glob("outputs/sweeps/*/*/sweep.json"))
    return str(found)
