"""Sweeps that have an answer and a ranking."""

from __future__ import annotations

from typing import Any, cast

from runner.config.metrics import METRICS
from runner.record.metrics import summary
from runner.record.sweep_schema import SweepJson


def sweep(points: int = 20, comparisons: Any = ()) -> SweepJson:
    """A sweep whose first point leads; every other one is out."""
    names = [f"process-w{number}" for number in range(1, points + 1)]
    metrics = [
        {name: summary([0.0 if name == "images_failed" else 100.0 - number]) for name in METRICS} for number in range(points)
    ]
    ranking = [
        {
            "point": name, "value": 100.0 - number, "low": 99.0 - number, "high": 101.0 - number, "below_best_at_most_pct": 2.01 + number,
            "state": "leader" if number == 0 else "out" if number % 2 else "may_be_best", "out_in_round": number if number % 2 else None, "why": None,
        }
        for number, name in enumerate(names)
    ]  # fmt: skip
    answer = {
        "text": "process × 1 leads: nothing is more than 2.1 % faster.", "best": names[0], "bound_pct": 2.01, "criterion": "throughput",
        "proven": True, "recommended": names[0], "recommended_bound_pct": 2.01,
    }  # fmt: skip
    record = {
        "schema_version": 1, "command": "python -m runner", "baseline": names[-1], "comparisons": list(comparisons), "answer": answer,
        "ranking": ranking, "race": [], "detectable_pct": None, "self_check": None, "trusted": True, "warnings": [],
        "points": [
            {"name": name, "overrides": [], "folder": name, "host": "here", "status": "ok", "error": None, "config_hash": "0", "metrics": one, "warnings": []}
            for name, one in zip(names, metrics, strict=True)
        ],
    }  # fmt: skip
    return cast("SweepJson", record)
