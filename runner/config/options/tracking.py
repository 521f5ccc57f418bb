"""Where runs are recorded beside their own folder."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner.config.consent import Demand
from runner.config.fields import MISSING, name, option
from runner.config.options.base import Choices, Option
from runner.errors import ConfigurationError

# Tags that a run has by itself; those that begin with mlflow. are MLflow's own.
OWN_TAGS = frozenset(
    {
        "best", "command", "config_hash", "cut_short", "digest", "error", "folder", "git_dirty", "host", "images", "name", "record",
        "record.complete", "record.digest", "status", "sweep",
    }
)  # fmt: skip
_MLFLOWS = "mlflow."

# MLflow's own rule for names, and its limits in characters; a note stands before the program's own, which needs its room.
_TAG_NAME = re.compile(r"[\w\-. :/]{1,250}", re.ASCII)
_TAG_LENGTH, _NOTE_LENGTH = 5000, 2000


def is_free(name: str) -> bool:
    """Whether a user may call a tag so."""
    return (
        bool(_TAG_NAME.fullmatch(name))
        and name.strip() == name
        and name not in OWN_TAGS
        and not name.lower().startswith(_MLFLOWS)
    )


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
    tags: Any = option(None, "tags of your own on every run, such as {team:vision}")
    note: str | None = option(None, "a text of your own at the head of every run's note")

    def check(self, choices: Choices) -> None:
        if not isinstance(self.tags, Mapping | None):
            raise ConfigurationError("tracking.tags", self.tags, "is no mapping", "names and values such as {team:vision}")
        for tag, value in (self.tags or {}).items():
            if not isinstance(value, str | int | float):
                raise ConfigurationError(f"tracking.tags.{tag}", value, "is no value of a tag", "a text or a number")
            if not is_free(str(tag)):
                what = "is no name of a tag in MLflow, or one that MLflow or this program sets"
                accepted = (
                    f"up to 250 letters, digits, _, -, ., :, / and spaces, and none of mlflow.*, {', '.join(sorted(OWN_TAGS))}"
                )
                raise ConfigurationError("tracking.tags", tag, what, accepted)
            if len(text := str(value)) > _TAG_LENGTH:
                what = f"has {len(text)} characters"
                raise ConfigurationError(f"tracking.tags.{tag}", f"{text[:20]}...", what, f"at most {_TAG_LENGTH}")
        if self.note is not None and len(self.note) > _NOTE_LENGTH:
            what = f"has {len(self.note)} characters"
            raise ConfigurationError("tracking.note", f"{self.note[:20]}...", what, f"at most {_NOTE_LENGTH}")

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
