"""The type of ``result.json``. Keys that are not required came later: records from before lack them."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from runner.errors import ErrorRecord
from runner.host.environment import Environment
from runner.record.metric_schema import Metrics
from runner.record.trial_schema import TrialRecord

Status = Literal["ok", "failed", "timeout", "killed"]


class ImageRecord(TypedDict):
    """One of the different images of a point; ``path`` may be an address."""

    path: str
    width: int
    height: int
    sha256: str


class WarningRecord(TypedDict):
    """What a reader should know before believing the numbers."""

    kind: str
    message: str
    advice: str


class ResultJson(TypedDict):
    """The content of ``result.json``: one point, its trials, and its metrics over them."""

    schema_version: int
    id: NotRequired[str]
    name: NotRequired[str]
    status: Status
    error: ErrorRecord | None
    overrides: list[str]
    # The composed configuration: free-form here, the dataclasses in config/options have its types.
    config: dict[str, Any]
    config_hash: str
    command: str
    environment: Environment
    images: list[ImageRecord]
    trials: list[TrialRecord]
    metrics: Metrics
    warnings: list[WarningRecord]
