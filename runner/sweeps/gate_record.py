"""What the trials of a gate's two sides say so far: how each limit stands, whether the gate has ended, and its record."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from runner.analysis.gating import NOT_KNOWN, WORSE, Judged, Limit, judge
from runner.display.gate import gate_text
from runner.errors import ErrorRecord
from runner.record.gate import SCHEMA_VERSION
from runner.record.gating_schema import GateEnd, GateJson, GateLimit, GateSide
from runner.record.metrics import trial_metrics
from runner.record.trial_schema import GoodTrial
from runner.secrets import masked_data, masked_override
from runner.sweeps import exit_status
from runner.sweeps.course import trials_s
from runner.sweeps.point import Point

OLD, NEW = "old", "new"


def judged(points: Sequence[Point], limits: Sequence[Limit]) -> list[Judged]:
    """How each limit stands after the rounds in which both sides, old and new, have succeeded."""
    rounds = _rounds(points)
    return [judge(limit, [_gap(old, new, limit) for old, new in rounds], len(limits)) for limit in limits]


def ended_by(points: Sequence[Point], stand: Sequence[Judged]) -> GateEnd | None:
    """Why there is no further round; None where there is one."""
    protocol, verdicts = points[0].config.protocol, {one.verdict for one in stand}
    if any(_error_of(side, points) for side in points):
        return "failure"
    if any(one.missing for one in stand):
        return "no ratio"
    if WORSE in verdicts or NOT_KNOWN not in verdicts:
        return "proven"
    if len(_rounds(points)) >= protocol.max_rounds:
        return "rounds"
    return "budget" if protocol.budget_s is not None and trials_s(points) >= protocol.budget_s else None


def gate_record(points: Sequence[Point], limits: Sequence[Limit], folder: Path, command: str) -> GateJson:
    """The content of ``gate.json``, without secrets.

    Args:
        points: old and new.
        limits: what counts as worse.
        folder: of the sweep.
        command: a line that runs it again.
    """
    stand = judged(points, limits)
    end = None if exit_status.current() == exit_status.INTERRUPTED else ended_by(points, stand)
    old, new = points
    record: GateJson = {
        "schema_version": SCHEMA_VERSION,
        "verdict": NOT_KNOWN,
        "exit_status": exit_status.NOT_KNOWN,
        "text": "",
        "ended_by": end or "interrupt",
        "rounds": len(_rounds(points)),
        "trials_s": trials_s(points),
        "budget_s": old.config.protocol.budget_s,
        "command": command,
        "folder": str(folder),
        "old": _side(old, points),
        "new": _side(new, points),
        "limits": [_limit(one, points) for one in stand],
        "notes": _notes(points),
    }
    match end:
        case None:
            record["exit_status"] = exit_status.INTERRUPTED
        case "failure" | "no ratio":
            record["verdict"], record["exit_status"] = "failed", exit_status.BROKEN
        case "proven" if any(one.verdict == WORSE for one in stand):
            record["verdict"], record["exit_status"] = "worse", exit_status.FAILED
        case "proven":
            record["verdict"], record["exit_status"] = "not worse", exit_status.OK
    record["text"] = gate_text(record)
    masked: GateJson = masked_data(record)
    return masked


def _rounds(points: Sequence[Point]) -> list[tuple[GoodTrial, GoodTrial]]:
    """The trials of old and of new, in each round in which both have succeeded."""
    old, new = ({(one["session"], one["round"]): one for one in point.trials if one["status"] == "ok"} for point in points)
    return [(old[key], new[key]) for key in old if key in new]


def _gap(old: GoodTrial, new: GoodTrial, limit: Limit) -> float:
    """log(new) − log(old); nan where one of the two is unknown or 0."""
    then, now = (trial_metrics(trial).get(limit.metric) for trial in (old, new))
    return math.log(now) - math.log(then) if then and now else math.nan


def _error_of(side: Point, points: Sequence[Point]) -> ErrorRecord | None:
    """Why a side failed; also if it is new and loses images that old does not, so that it does less work."""
    if side.has_failed:
        return side.error
    old, new = points
    before, now = _images_failed(old), _images_failed(new)
    if side is new and now > before:
        return {"type": "ImagesFailed", "message": f"{now} images of an epoch failed, and {before} of old's", "traceback": None}
    return None


def _images_failed(point: Point) -> int:
    """The most images that failed in an epoch."""
    return max((trial_metrics(trial)["images_failed"] for trial in point.trials if trial["status"] == "ok"), default=0)


def _side(point: Point, points: Sequence[Point]) -> GateSide:
    side: GateSide = {"overrides": [masked_override(word) for word in point.overrides], "config_hash": point.hash}
    if (error := _error_of(point, points)) is not None:
        side["error"] = error
    return side


def _limit(one: Judged, points: Sequence[Point]) -> GateLimit:
    old, new = (point.metrics.get(one.limit.metric) for point in points)
    record: GateLimit = {
        "metric": one.limit.metric,
        "limit": str(one.limit),
        "verdict": one.verdict,
        "rounds": one.rounds,
        "old": None if old is None else old["value"],
        "new": None if new is None else new["value"],
        "ratio": one.ratio,
        "low": one.low,
        "high": one.high,
        "level": one.level,
    }
    if one.missing:
        record["why"] = f"in {one.missing} of {one.rounds} rounds a trial has no value of it, or 0, and then there is no ratio"
    return record


def _notes(points: Sequence[Point]) -> list[str]:
    """What should be known beside the verdict."""
    old, new = points
    notes = []
    if old.hash == new.hash:
        notes.append("old and new are one configuration, so that this shows the machine and nothing else")
    if old.digests and new.digests and old.digests != new.digests:
        notes.append("the results of old and new are not the same, byte by byte")
    if (more := _images_failed(old)) > _images_failed(new):
        notes.append(f"{more} images of an epoch failed in old, fewer in new")
    return notes
