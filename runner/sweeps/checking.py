"""Checks a configuration before anything is written or started. This module is light, so that a refusal comes at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from runner.analysis.needs import Planned
from runner.analysis.shortages import refuse_too_many
from runner.config.consent import Demand, ask_for
from runner.config.options import Config
from runner.config.registry import GROUPS, names_code
from runner.files import check_temporary_folder
from runner.host.environment import usable_cpus
from runner.host.limits import Limits
from runner.pipeline.sources import Image, images_of
from runner.sweeps.other_code import Surroundings, surroundings_of


@dataclass(frozen=True)
class CheckedConfig:
    """A configuration that can be run.

    Attributes:
        config: typed, each value within its range.
        images: the different images of its source, inspected.
        surroundings: the interpreter and the commit, where they are others than this program's.
    """

    config: Config
    images: Sequence[Image]
    surroundings: Surroundings


def checked(config: Config) -> CheckedConfig:
    """Check what depends on this host and on the images, before a process is started.

    Args:
        config: within its rules.

    Raises:
        ConfigurationError: it cannot be run.
    """
    ask_for(demands_of(config))
    check_temporary_folder()
    images = images_of(config.source, config.epoch_images)
    config.mode.check_images(config, images)
    refuse_too_many(Planned(config, images, usable_cpus()), _limits())
    surroundings = surroundings_of(config)
    if surroundings.commit is not None:
        config = dataclasses.replace(config, code=surroundings.commit.hash)  # a branch will be at another commit soon
    return CheckedConfig(config, images, surroundings)


@cache
def _limits() -> Limits:
    """Read once: a sweep may have hundreds of points."""
    return Limits.now()


def demands_of(config: Config) -> list[Demand]:
    """What a configuration would have done that a record may not have done unasked."""
    of_root = [Demand("import", key, value) for key in names_code() if "." not in key and (value := getattr(config, key))]
    return of_root + [
        dataclasses.replace(demand, key=f"{group}.{demand.key}")
        for group in GROUPS
        for demand in getattr(config, group).demands()
    ]
