"""The types of what ``runner history --json`` prints."""

from __future__ import annotations

from typing import TypedDict

from runner.host.environment import Difference


class HistoryRun(TypedDict):
    """A run in a series: its id in MLflow, when it began (Unix time, seconds), and its value."""

    run: str
    at: float
    value: float


class HistoryChange(TypedDict):
    """A change of level between two runs.

    ``before`` and ``after`` are medians of the runs up to the next change on either side, ``p`` is of the permutation test. ``differences`` is what
    differs between the environments of the two runs; None where a run has no record among its artifacts.
    """

    last_before: str
    first_after: str
    at: float
    before: float
    after: float
    p: float
    differences: list[Difference] | None


class HistorySeries(TypedDict):
    """The runs of one configuration on one host, in the order of time; ``changes`` is None where there are too few to look for any."""

    name: str
    config_hash: str
    host: str
    runs: list[HistoryRun]
    changes: list[HistoryChange] | None


class HistoryJson(TypedDict):
    """What ``runner history --json`` prints; ``least_runs`` is how many runs it takes to look for a change."""

    metric: str
    more_is_better: bool
    least_runs: int
    series: list[HistorySeries]
