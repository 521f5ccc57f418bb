"""How often everything is measured, and how closely it is watched."""

from __future__ import annotations

from dataclasses import dataclass

from runner.config.fields import SWEEP, option
from runner.config.options.base import Choices, Option
from runner.errors import ConfigurationError


@dataclass
class Protocol(Option):
    """How often everything is measured."""

    rounds: int = option(8, "trials of every point, each in a fresh process", at_least=1, at_most=100_000)
    epochs: int = option(5, "timed passes over the images in a trial", at_least=1, at_most=100_000)
    warmup_epochs: int = option(1, "passes before the timed ones", at_least=0, at_most=100_000)
    timeout_s: float = option(600.0, "seconds after which a trial is ended", above=0)
    verdicts: bool = option(True, "whether points are compared with the baseline, in words")
    self_check: bool = option(True, "whether a duplicate of the baseline runs in every round of a sweep")
    precision: float | None = option(
        None, "go on after the rounds until every interval of images_per_s is this narrow: 0.02 is 2 % up and down", above=0
    )
    max_rounds: int = option(
        40, "stop after this many rounds even if the precision has not been reached", at_least=1, at_most=100_000
    )
    race: bool = option(
        False,
        "whether points that are proven to be worse than another drop out of a sweep, until the best is known",
        role=SWEEP,
    )
    budget_s: float | None = option(None, "seconds of trials after which a race ends in any case", above=0, role=SWEEP)
    pause_s: float = option(
        0.0,
        "seconds between rounds, in which others may measure here: what slows a machine for some minutes is then in few of them",
        at_least=0,
        at_most=86400,
        role=SWEEP,
    )
    epoch_s: float = option(
        0.5, "with images=auto: how long an epoch of the fastest point should take, in seconds", above=0, role=SWEEP
    )
    indifference: float = option(
        0.05,
        "how far below the best a point is still as good; the cheapest point proven to be within this is recommended; 0.05 is 5 %",
        above=0,
        at_most=1,
        role=SWEEP,
    )

    max_failed_pct: float = option(
        50.0,
        "per cent of an epoch's images that may fail; above that, the trial has failed",
        at_least=0,
        at_most=100,
        role=SWEEP,
    )

    def check(self, choices: Choices) -> None:
        if self.budget_s is not None and not self.race:
            raise ConfigurationError("protocol.budget_s", self.budget_s, "is for a race", "null; or protocol=race")
        for key, given, none in (("verdicts", self.verdicts, False), ("precision", self.precision, None)):
            if self.race and given != none:
                reason = "is for a number of rounds that does not depend on what they show; a race has bounds of its own"
                raise ConfigurationError(f"protocol.{key}", given, reason, "null" if none is None else "false")
        if self.precision is not None and self.max_rounds < self.rounds:
            reason = f"is less than protocol.rounds={self.rounds}"
            raise ConfigurationError(
                "protocol.max_rounds", self.max_rounds, reason, f"{self.rounds} or more, or fewer protocol.rounds"
            )


@dataclass
class Host:
    """How the program shares its host with others."""

    wait_s: float = option(86400.0, "seconds to wait while another program measures on this host", at_least=0)


@dataclass
class Monitor(Option):
    """How a trial is watched from outside."""

    enabled: bool = option(True, "whether samples are taken; exact accounting needs none")
    interval_s: float = option(0.1, "seconds between samples", at_least=0.005, at_most=60)
    memory_interval_s: float = option(1.0, "seconds between memory samples, which cost more", at_least=0.1, at_most=600)
    cost_limit_pct: float = option(
        1.0,
        "the most of one core that the monitor may use; costly readings become rarer to stay below it",
        at_least=0.1,
        at_most=100,
    )
    gil_probe: bool = option(False, "whether the wait for Python's interpreter lock is measured, where workers are threads")
