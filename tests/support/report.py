"""Sweeps with a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from runner.record.metrics import point_metrics
from runner.record.reading import PointRecord
from runner.record.trial_schema import GoodTrial
from runner.report.subject import Subject
from support.made_records import epoch, good_trial, result
from support.program import Program


def trial(place: int, rate: float, **changes: Any) -> GoodTrial:
    of_epoch = {key: changes.pop(key) for key in ("cpu_s", "read_s", "task_s", "sink_s", "collect_cpu_s") if key in changes}
    only = epoch(
        work_s=100 / rate, images_per_s=rate, images_ok=100, latency_p50_s=0.01, latency_p95_s=0.02, latency_p99_s=0.03, **of_epoch
    )  # fmt: skip
    times = {"work_s": 100 / rate, "started_at": 1e9 + place, "ended_at": 1e9 + place + 0.5}
    return good_trial(**{"round": place, "epochs": [only], **times, **changes})


def point(label: str, rate: float, varying: Sequence[str] = ("mode", "workers"), **changes: Any) -> PointRecord:
    config = {"mode": {"name": label.partition("-w")[0]}, "workers": int(label.partition("-w")[2].split()[0])} | changes.pop(
        "config", {}
    )
    trials = [trial(place, rate * (1 + 0.001 * place), **changes) for place in range(8)]
    return PointRecord(Path("nowhere"), result(config=config, trials=trials, metrics=point_metrics(trials)), label, varying)


def subject(points: Sequence[PointRecord], comparisons: Sequence[Mapping[str, Any]] = (), **changes: Any) -> Subject:
    given: dict[str, Any] = {
        "folder": Path("nowhere"), "title": "mode × workers", "points": points, "expected": len(points), "baseline": points[0].label,
        "comparisons": comparisons, "answer": None, "ranking": [], "front": None, "fronted": [], "race": [], "out": {}, "self_check": None, "duplicate": None, "trusted": True, "warnings": [], "command": "python -m runner -m",
        "cut_short": False,
    }  # fmt: skip
    return Subject(**(given | changes))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, str]:
    program = Program(tmp_path_factory.mktemp("swept"))
    words = [
        "mode=thread,process",
        "workers=1,2",
        "images=12",
        "task=pillow",
        "tf=single",
        "tracking=none",
        "protocol.verdicts=true",
    ]
    answer = program(*words, "protocol=quick", "protocol.rounds=8", "-m")
    assert answer.returncode == 0, answer.stderr
    return program, answer.stdout


@pytest.fixture(scope="module")
def swept_folder(swept: tuple[Program, str]) -> Path:
    (found,) = (path.parent for path in swept[0].folder.glob("outputs/sweeps/*/*/sweep.json"))
    return found
