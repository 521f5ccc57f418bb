"""What the checks look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.config.options import Config
from runner.record.trial_schema import TrialRecord


@dataclass(frozen=True)
class PointFacts:
    """The facts about a point that the checks need.

    Attributes:
        label: its name in its sweep.
        config: its configuration.
        trials: the records of its trials.
        cpus_usable: how many CPUs a trial may use.
        host: the host that it was measured on; None where it was not measured.
        images: the digests of its distinct images.
    """

    label: str
    config: Config
    trials: Sequence[TrialRecord]
    cpus_usable: float
    host: str | None
    images: Sequence[str]
