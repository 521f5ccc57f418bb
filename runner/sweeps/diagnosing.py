"""Measures one configuration with stages left out, in interleaved rounds, and says where its time goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.analysis.advice import Proposal, proposals
from runner.analysis.input_bound import fed
from runner.analysis.readings import readings_of
from runner.analysis.stalls import ALONE, IN_MEMORY, READY, WHOLE, Diagnosis, diagnosis
from runner.config.compose import composed
from runner.config.options import NoConsumer, Skip
from runner.config.plain import plain
from runner.config.recorded_words import key_of, names_own_code
from runner.config.registry import keys_of
from runner.config.restore import choices_of, with_overrides
from runner.disk import make_folder
from runner.errors import ConfigurationError
from runner.files import new_folder
from runner.safe_path import take_code_of_the_current_folder
from runner.sweeps.execute import execute
from runner.sweeps.point import Point
from runner.tracking.credentials import credentials_to_environment

# How it is measured unless the user says otherwise: enough rounds for an interval, and no verdicts, because the legs differ by design.
_PROTOCOL = ("protocol=quick", "protocol.rounds=5", "protocol.epochs=2")
_SKIPPED = {WHOLE: Skip.none, IN_MEMORY: Skip.fetch, READY: Skip.preparation}


@dataclass(frozen=True)
class Diagnosed:
    """What came of it.

    Attributes:
        folder: of the sweep.
        found: where the time goes; None where too little was measured.
        proposed: what to try, first what is about the largest part.
        point: the configuration with everything.
        cpus_needed: CPU seconds a second that would feed the consumer; None without one.
    """

    folder: Path
    found: Diagnosis | None
    proposed: Sequence[Proposal]
    point: Point
    cpus_needed: float | None


def diagnose(words: Sequence[str]) -> Diagnosed:
    """Measure what ``words`` describe, whole and in parts.

    Raises:
        ConfigurationError: it cannot be run, or its stages cannot be told apart.
    """
    words = credentials_to_environment(words)
    if names_own_code(words):
        take_code_of_the_current_folder()
    legs = _legs(words)
    _run(list(legs.values()), ["diagnose", *words])
    whole = legs[WHOLE]
    consumer = fed(whole.trials)
    found = diagnosis(
        {name: readings_of(point.trials, "images_per_s") for name, point in legs.items()},
        _steps(whole),
        None if consumer is None else 1 / consumer.needs_images_per_s,
    )
    usage = whole.metrics["cpu_utilization_pct"]["value"]
    pixels = min((min(image.width, image.height) for image in whole.images), default=0)
    return Diagnosed(
        whole.folder.parent,
        found,
        [] if found is None else proposals(found, whole.config, usage_pct=usage, pixels=pixels),
        whole,
        None if consumer is None else consumer.cpus,
    )


def try_out(diagnosed: Diagnosed, words: Sequence[str]) -> Path:
    """Measure each proposal against the configuration as it is, with verdicts; returns the folder of that sweep.

    A proposal that cannot be run here is left out.
    """
    of_the_user = (word for word in words if key_of(word).startswith("protocol."))
    measured = ("protocol=standard", "protocol.epochs=2", "protocol.self_check=false", *of_the_user)
    base = with_overrides(_choices(diagnosed.point, words), measured)
    points = [_point(base, ())]
    for one in diagnosed.proposed:
        try:
            points.append(_point(base, one.words))
        except ConfigurationError:
            continue
    return _run(points, ["diagnose", "--try", *words], shown=True)


def _legs(words: Sequence[str]) -> dict[str, Point]:
    protocol = () if any(word.startswith("protocol=") for word in words) else _PROTOCOL
    whole = _point([*protocol, *words], ())
    choices, steps = _choices(whole, words), _steps(whole)
    legs = {name: _point(choices, (f"skip={skip.value}",)) for name, skip in _SKIPPED.items()}
    without: tuple[str, ...] = ()
    if not isinstance(whole.config.consumer, NoConsumer):
        without = ("consumer=none", "objective=images_per_s")
        legs |= {name + ALONE: _point(choices, (*without, f"skip={skip.value}")) for name, skip in _SKIPPED.items()}
    for count in range(1, len(steps)):
        first = steps[:count]
        legs["+".join(first)] = _point(choices, (*without, "skip=fetch", f"task.steps=[{','.join(first)}]"))
    for name, point in legs.items():
        point.title, point.choosable = name, False
    return legs


def _point(choices: Sequence[str], changes: Sequence[str]) -> Point:
    words = with_overrides(choices, changes)
    return Point.prepared(composed(words), words, Path())


def _choices(point: Point, words: Sequence[str]) -> list[str]:
    """The words that compose its configuration again; where it is recorded, and how the host is shared, only the user's ``words`` say."""
    config: Mapping[str, object] = plain(point.config)
    not_repeated = keys_of(lambda role: not role.repeated)
    return [*choices_of(config), *(word for word in words if key_of(word).partition(".")[0] in not_repeated)]


def _steps(point: Point) -> tuple[str, ...]:
    """The steps of its task, where each can be left out by itself."""
    return tuple(getattr(point.config.task, "steps", ()))


def _run(points: Sequence[Point], words: Sequence[str], *, shown: bool = False) -> Path:
    folder = new_folder("sweeps")
    for number, point in enumerate(points):
        point.folder = folder / str(number)
        make_folder(point.folder)
    execute(points, folder, words=words, shown=shown)
    return folder
