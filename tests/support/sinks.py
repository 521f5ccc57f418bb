"""Trials whose results go to a sink."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from runner.config.options import (
    Pillow,
    Process,
    ProcessPool,
    Sequential,
    SinkOption,
    StartMethod,
    Thread,
    ThreadPool,
    ToHttp,
)
from runner.pipeline import retry
from runner.pipeline.receipts import Ledger, fingerprint
from runner.pipeline.sinks import Sent
from runner.pipeline.sinks.http import HttpSink
from runner.sweeps.session import Session
from runner.trial.messages import Phase
from runner.trial.supervisor import Event, Supervisor
from support.points import Silent, point

MODES = [
    Sequential(),
    Thread(),
    ThreadPool(),
    Process(),
    ProcessPool(),
    Process(threads_per_worker=2),
    Process(start_method=StartMethod.spawn),
]


# Passes of a trial of ``point``: one of warm-up and two timed; with six images.
PASSES, IMAGES = 3, 6


def label(mode: Any) -> str:
    method = getattr(getattr(mode, "start_method", None), "value", "")
    return "-".join(filter(None, [mode.name, method, str(getattr(mode, "threads_per_worker", ""))]))


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr(retry, "sleep", pauses.append)
    monkeypatch.setattr("runner.pipeline.retry.random.uniform", lambda _, whole: whole)
    return pauses


def trial_of(supervisor: Supervisor, folder: Path, sink: SinkOption, display: Any = None, **changes: Any) -> dict[str, Any]:
    """The record of one trial with this sink, through the session, as the program runs it."""
    Session(
        [of := point(folder / "point", sink=sink, **{"task": Pillow(), **changes})], 0, display or Silent(), supervisor
    ).run()
    recorded: list[dict[str, Any]] = json.loads((of.folder / "result.json").read_text())["trials"]
    assert recorded == json.loads(json.dumps(of.trials))
    return recorded[0]


def result(item: int) -> bytes:
    return bytes([item]) * 100


def sent(items: int, failed: frozenset[int] = frozenset(), doubtful: frozenset[int] = frozenset()) -> Sent:
    ledger = Ledger()
    for item in set(range(items)) - failed:
        ledger.sent(fingerprint(item, result(item)), 100)
    for item in doubtful:
        ledger.doubt(item, fingerprint(item, result(item)))
    return Sent(failed, ledger.take())


def http_sink(url: str, **options: Any) -> HttpSink:
    sink = HttpSink(ToHttp(url=url, **{"timeout_s": 5.0, **options}), lambda array: array)
    sink.begin(0)
    return sink


ARRAY = np.arange(50_000, dtype=np.float32).reshape(100, 500)


class Ends(Silent):
    """Kills the trial where it enters a phase, and remembers the processes of all trials."""

    def __init__(self, phase: str = "") -> None:
        self._phase = phase

    def event(self, event: object) -> None:
        if isinstance(event, Event) and isinstance(event, Phase) and event.name == self._phase:
            psutil.Process(event.pids[0]).kill()
