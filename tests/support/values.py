"""Values of points by round, as they are analysed: made from arrays, with no trial run."""

from __future__ import annotations

from typing import Any

import numpy as np

from runner.analysis.conclusion import Candidate, Question
from runner.analysis.readings import Key, Reading
from runner.record.metrics import summary

THROUGHPUT = Question("throughput", more_is_better=True, better="faster", indifference=0.05)


def readings(logs: Any, session: str = "s") -> dict[Key, Reading]:
    """A point's logarithms by round; nan is a round without a value."""
    return {Key(session, number): Reading(float(log), 0) for number, log in enumerate(logs) if not np.isnan(log)}


def candidates(logs: Any, *, cpu: Any = None, failed: Any = ()) -> list[Candidate]:
    """A candidate for each column of rounds × points, named a, b, c and so on."""
    columns = np.asarray(logs, dtype=float).T
    return [
        Candidate(
            label=chr(ord("a") + place) if place < 26 else str(place),
            shown=(chr(ord("a") + place) if place < 26 else str(place)).upper(),
            readings=readings(column),
            summary=summary([float(np.exp(log)) for log in column if not np.isnan(log)]),
            cpu=None if cpu is None else cpu[place],
            failed=place in failed,
        )
        for place, column in enumerate(columns)
    ]


def noisy(truth: Any, rounds: int, noise: float, seed: int) -> Any:
    """Rounds × points: the truth of each point, the state of the machine in each round, and noise; all logarithms."""
    draw = np.random.default_rng(seed)
    truth = np.asarray(truth, dtype=float)
    return truth + draw.normal(0, 0.1, (rounds, 1)) + draw.normal(0, noise, (rounds, len(truth)))
