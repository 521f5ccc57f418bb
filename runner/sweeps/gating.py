"""Measures two sides, old and new, in interleaved rounds on this machine, until it is proven whether new is worse than the limits, or is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.analysis.gating import Limit
from runner.config.compose import composed
from runner.config.consent import Consent, asking
from runner.config.metrics import CONSUMER_METRICS, METRICS
from runner.config.recorded_words import key_of, names_own_code
from runner.config.registry import keys_of
from runner.config.restore import with_overrides
from runner.disk import make_folder, write_atomically
from runner.display.console import print_error
from runner.errors import ConfigurationError
from runner.files import new_folder
from runner.record.gating_schema import GateJson
from runner.record.manifest import amend_manifest
from runner.record.reading import PointRecord
from runner.safe_path import take_code_of_the_current_folder
from runner.sweeps.course import Course
from runner.sweeps.execute import execute
from runner.sweeps.gate_record import NEW, OLD, ended_by, gate_record, judged
from runner.sweeps.other_code import from_here
from runner.sweeps.point import Point, command
from runner.sweeps.repeat import in_the_folder_of, recorded_words
from runner.sweeps.sweep import Sweep

RECORD = "gate.json"

# The record of the sweep has the bounds of a race, which hold whenever it ends; the gate decides when.
_PROTOCOL = ("protocol=race", "protocol.max_rounds=60", "protocol.epochs=2")

# What of the protocol a user may choose: the rest is what makes it a gate.
_PROTOCOL_KEYS = ("epochs", "warmup_epochs", "timeout_s", "max_rounds", "pause_s", "epoch_s", "max_failed_pct")

_REFUSED = ("objective", "baseline", "protocol")


@dataclass(frozen=True)
class Asked:
    """What a gate is asked.

    Attributes:
        limits: what counts as worse, each of another metric.
        budget_s: seconds of trials after which no round is begun.
        both, old, new: words of the configuration: those of both sides, and those of each.
        baseline: the record whose configuration is that of both sides, before the words; None where these begin from the defaults.
        allowed: what the record may have done.
    """

    limits: Sequence[Limit]
    budget_s: float
    both: Sequence[str]
    old: Sequence[str] = ()
    new: Sequence[str] = ()
    baseline: PointRecord | None = None
    allowed: frozenset[str] = frozenset()


class GateCourse(Course):
    """Both sides have every round, until each limit is proven not to be broken, one is proven to be, or a bound of the effort is reached."""

    def __init__(self, sweep: Sweep, show: Callable[[str], None], limits: Sequence[Limit]) -> None:
        super().__init__(sweep, show)
        self._limits = limits

    def due(self, number: int) -> Sequence[Point]:
        """Both sides, or none where the gate has ended."""
        over = number and ended_by(self._sweep.points, judged(self._sweep.points, self._limits)) is not None
        return [] if over else list(self._sweep.points)

    def budget_is_spent(self) -> bool:
        """Never within a round, whose pair would be lost."""
        return False

    def _standing(self) -> str:
        """How each limit stands."""
        return ", ".join(
            f"{one.limit.metric} {NEW} ÷ {OLD} {one.ratio:.3g} ({one.verdict})"
            for one in judged(self._sweep.points, self._limits)
            if one.ratio is not None
        )


def gate(asked: Asked, words: Sequence[str]) -> GateJson:
    """Measure the two sides and say how they compare; ``gate.json`` is in the folder of the sweep.

    Args:
        asked: what is asked.
        words: of the command line, for the record.

    Raises:
        ConfigurationError: a side cannot be run.
    """
    points = _sides(asked)
    folder = new_folder("sweeps")
    for point in points:
        point.folder = folder / point.title
        make_folder(point.folder)
    execute(points, folder, words=words, shown=False, course=lambda sweep, show: GateCourse(sweep, show, asked.limits))
    found = gate_record(points, asked.limits, folder, command(words))
    write_atomically(folder / RECORD, lambda file: print(json.dumps(found, indent=1, allow_nan=False), file=file))
    amend_manifest(folder, RECORD)
    return found


def _sides(asked: Asked) -> list[Point]:
    """The two points, checked.

    Raises:
        ConfigurationError: one cannot be run; the message says which.
    """
    for word in asked.both:
        group, _, field = key_of(word).partition(".")
        if group in _REFUSED and not (group == "protocol" and field in _PROTOCOL_KEYS):
            accepted = "what is measured, and protocol." + ", protocol.".join(_PROTOCOL_KEYS)
            raise ConfigurationError(key_of(word), word.partition("=")[2], "cannot be chosen for a gate", accepted)
    work = keys_of(lambda role: role.passed_on)
    for side, words in ((OLD, asked.old), (NEW, asked.new)):
        for word in words:
            if key_of(word).partition(".")[0] not in work:
                accepted = f"what is done, and by which workers: {', '.join(sorted(work))}; the rest is for both sides"
                raise ConfigurationError(f"--{side}", word, "cannot differ between the sides of a gate", accepted)
    if names_own_code([*asked.both, *asked.old, *asked.new]) or "import" in asked.allowed:
        take_code_of_the_current_folder()
    return [_side(asked, OLD, asked.old), _side(asked, NEW, asked.new)]


def _side(asked: Asked, side: str, own: Sequence[str]) -> Point:
    first = asked.limits[0].metric
    objective = (f"objective={first}",) if first in {*METRICS, *CONSUMER_METRICS} else ()
    words = with_overrides(
        [*_PROTOCOL, f"protocol.budget_s={asked.budget_s!r}", *objective, *from_here(asked.both)], from_here(own)
    )
    record = asked.baseline
    try:
        if record is None:
            point = _prepared(words, asked)
        else:
            consent = Consent("gate", asked.allowed, frozenset(map(key_of, words)), print_error)
            with in_the_folder_of(record), asking(consent):
                point = _prepared(recorded_words(record, words), asked)
    except ConfigurationError as error:
        if error.key == "--fail-if":
            raise
        raise ConfigurationError(f"{side}: {error.key}", error.given, error.reason, error.accepted) from error
    point.title = side
    return point


def _prepared(words: Sequence[str], asked: Asked) -> Point:
    config = composed(words)
    for limit in asked.limits:
        if limit.metric in CONSUMER_METRICS and config.consumer.name == "none":
            reason = "is a metric of a consumer, and there is none"
            raise ConfigurationError("--fail-if", limit, reason, "consumer=emulated, or another metric")
    return Point.prepared(config, words, Path())
