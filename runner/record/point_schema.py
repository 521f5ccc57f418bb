"""The type of ``result.json``. Keys that are not required came later: records from before lack them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from runner.errors import ErrorRecord
from runner.host.environment import Environment
from runner.record.consumer_schema import InputRecord
from runner.record.limits import Having, Id, Limits, Name
from runner.record.metric_schema import Metrics
from runner.record.trial_schema import TrialRecord

# ``running`` until all rounds are run: where no program runs it any more, it was cut short.
Status = Literal["running", "ok", "failed", "timeout", "killed"]


_WRONG = "is not accepted, or is out of range"
_Option = Annotated[Any, Having({"name": Name}, what="is no mapping")]
_Threads = Annotated[Any, Limits(_WRONG, kind=int, at_least=0, at_most=1024)]
_Mapping = Annotated[Any, Limits("is no mapping", kind=dict)]

# The composed configuration: free-form but for what is looked at here, the dataclasses in config/options have its types.
Configuration = Annotated[
    dict[str, Any],
    Having(
        {
            "mode": _Option,
            "workers": Annotated[Any, Limits(_WRONG, kind=int, at_least=1, at_most=4096)],
            "images": Annotated[Any, Limits(_WRONG, kind=int, at_least=1, at_most=10**9)],
            "tf": Annotated[Any, Having({"intra_op": _Threads, "inter_op": _Threads}, what="is no mapping")],
            "source": _Option,
            "task": _Option,
            "sink": _Option,
            "protocol": _Mapping,
            "tracking": _Mapping,
        }
    ),
]


class ImageRecord(TypedDict):
    """One of the different images of a point; ``path`` may be an address."""

    path: str
    width: int
    height: int
    sha256: str


class FailedImages(TypedDict):
    """Files that failed for alike reasons; ``examples`` names the first of them."""

    reason: str
    files: int
    examples: list[str]


class WarningRecord(TypedDict):
    """What a reader should know before believing the numbers."""

    kind: str
    message: str
    advice: str


class ResultJson(TypedDict):
    """The content of ``result.json``: one point, its trials, and its metrics over them."""

    schema_version: int
    id: NotRequired[Id]
    name: NotRequired[Name]
    status: Status
    error: ErrorRecord | None
    overrides: list[str]
    config: Configuration
    config_hash: Name
    command: str
    environment: Environment
    images: list[ImageRecord]
    trials: list[TrialRecord]
    metrics: Metrics
    failed_images: NotRequired[list[FailedImages]]
    input: NotRequired[InputRecord | None]
    warnings: list[WarningRecord]
