"""Where runs are recorded beside their own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from runner.config.consent import Demand
from runner.config.fields import MISSING, name, option
from runner.config.options.base import Option


@dataclass
class TrackingOption(Option):
    """What every kind of tracking has."""

    name: str = MISSING
    experiment: str = option("image-pipeline", "the MLflow experiment that the runs go to, not empty", matches=r".*\S.*")
    max_artifact_mb: float = option(
        50.0,
        "megabytes up to which the rows of a point's images are copied into MLflow; larger ones stay where they are, and the run's note says where",
        at_least=0,
    )

    @property
    def stores(self) -> tuple[str | None, ...]:
        """The addresses of the MLflow stores that runs are logged to; None is the one under ``outputs/``."""
        return (None,)


@dataclass
class Sqlite(TrackingOption):
    name: str = name("sqlite")


@dataclass
class Server(TrackingOption):
    name: str = name("server")
    uri: str = option(
        MISSING, "the address of an MLflow server, such as http://127.0.0.1:5000", matches=r"[a-z+]+://.+|databricks.*"
    )

    @property
    def stores(self) -> tuple[str | None, ...]:
        return (self.uri,)

    def demands(self) -> Iterator[Demand]:
        if self.uri != os.environ.get("MLFLOW_TRACKING_URI"):
            yield Demand("contact", "uri", self.uri, named_only=True)  # MLflow sends the user's token there


@dataclass
class NoTracking(TrackingOption):
    name: str = name("none")

    @property
    def stores(self) -> tuple[str | None, ...]:
        return ()
