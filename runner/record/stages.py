"""The stages of a trial whose backend says what each of them took, as ``mode=tf_data`` does where TensorFlow tunes it."""

from __future__ import annotations

from typing import TypedDict

from runner.modes.stage_record import StageRecord
from runner.record.shape import misfit
from runner.record.trial_schema import TrialRecord


class _Staged(TypedDict):
    """What such a backend says."""

    stages: list[StageRecord]
    slowest_stage: str


def stages_of(trial: TrialRecord) -> list[StageRecord]:
    """The stages, in their order; none where the backend does not say, or not in this form."""
    backend = trial.get("backend", {})
    stages: list[StageRecord] = [] if misfit(backend, _Staged) is not None else backend["stages"]
    return stages


def slowest_stage(trial: TrialRecord) -> StageRecord | None:
    """The slowest one; None where the backend does not say."""
    return next((stage for stage in stages_of(trial) if stage["stage"] == trial.get("backend", {})["slowest_stage"]), None)
