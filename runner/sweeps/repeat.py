"""Runs recorded points again, and compares the results with the record."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from omegaconf import OmegaConf

from runner.analysis.agreement import agreement
from runner.analysis.verdicts import Comparison, Side, compare_points
from runner.config.compose import composed
from runner.config.consent import Consent, ask_for, asking
from runner.config.recorded_words import code_in, key_of, names_own_code
from runner.config.registry import keys_of, names_code
from runner.config.restore import choices_of, with_overrides
from runner.disk import make_folder, write_atomically
from runner.display.console import print_error
from runner.display.summary import print_agreement, print_differences, print_in_turn
from runner.errors import ConfigurationError
from runner.files import new_folder
from runner.host.environment import differences
from runner.record.manifest import amend_manifest
from runner.record.reading import PointRecord, SweepRecord
from runner.record.sweep_schema import RepeatedPoint, RerunJson
from runner.safe_path import take_code_of_the_current_folder
from runner.secrets import MASK, masked_data, masked_override
from runner.sweeps import exit_status
from runner.sweeps.execute import execute
from runner.sweeps.other_code import from_here, own_code_from
from runner.sweeps.point import Point
from runner.sweeps.resuming import other_images
from runner.sweeps.single import execute_alone


def prepared(
    original: PointRecord | SweepRecord, overrides: Sequence[str], allowed: frozenset[str] = frozenset()
) -> list[tuple[PointRecord, Point]]:
    """Each recorded point with the point that repeats it. All are checked, and nothing is written yet.

    A point whose work ``overrides`` change is also repeated unchanged, before the changed one. The two are run in turn and get a verdict,
    which the record and a rerun from another session cannot.

    Raises:
        ConfigurationError: a recorded configuration, or what ``overrides`` make of it, cannot be run, or would have something done that is
            neither ``allowed`` nor named in ``overrides``.
    """
    records = original.measured if isinstance(original, SweepRecord) else [original]
    points, overrides = [], from_here(overrides)
    if names_own_code(overrides) or "import" in allowed:
        take_code_of_the_current_folder()
    consent = Consent("rerun", allowed, frozenset(map(key_of, overrides)), print_error)
    for record in records:
        with in_the_folder_of(record), asking(consent):
            points += _recorded_way(record, overrides)
            points.append((record, _point(record, overrides)))
    kind = "runs" if len(points) == 1 and isinstance(original, PointRecord) else "sweeps"
    folder = new_folder(kind)
    for number, (_, point) in enumerate(points):
        point.folder = folder / str(number) if kind == "sweeps" else folder
    return points


def _point(record: PointRecord, overrides: Sequence[str]) -> Point:
    """The point that does what was recorded, but for ``overrides``."""
    words = recorded_words(record, overrides)
    return Point.prepared(composed(words), words, Path())


def recorded_words(record: PointRecord, overrides: Sequence[str]) -> list[str]:
    """The words that compose what was recorded, but for ``overrides``.

    Raises:
        ConfigurationError: one had a secret in it, or names code that is not allowed.
    """
    words = with_overrides(choices_of(record.record["config"]), overrides)
    given = {key_of(word) for word in overrides}
    for word in words:
        if MASK in word and key_of(word) not in given:
            reason = "had a secret in it, which is in no record"
            raise ConfigurationError(
                key_of(word), word.partition("=")[2], reason, f"the same once more, with it: {key_of(word)}=..."
            )
    ask_for(code_in(words))
    return words


def _recorded_way(record: PointRecord, overrides: Sequence[str]) -> list[tuple[PointRecord, Point]]:
    """The point with its work as recorded, if the overrides change its work; empty otherwise, or if they name code."""
    recorded = {key_of(word): masked_override(word) for word in choices_of(record.record["config"])}
    measuring = [
        word
        for word in overrides
        if key_of(word).partition(".")[0] not in _work() or recorded.get(key_of(word)) == masked_override(word)
    ]
    if len(measuring) == len(overrides) or any(word.startswith(f"{key}=") for key in names_code() for word in overrides):
        return []
    before, after = (_point(record, words) for words in (measuring, overrides))
    return [] if before.hash == after.hash else [(record, before)]


def _work() -> frozenset[str]:
    return keys_of(lambda role: role.passed_on)


def repeat(original: PointRecord | SweepRecord, points: Sequence[tuple[PointRecord, Point]], words: Sequence[str]) -> int:
    """Execute the points, show what differs and what came of it; returns the exit status.

    Args:
        original: what is repeated.
        points: from ``prepared``.
        words: of the command line, for the record.
    """
    changed = [
        *differences(points[0][0].record["environment"], points[0][1].environment()),
        *(
            difference
            for record, point in points
            for difference in other_images(record.label, record.record["images"], point.images)
        ),
    ]
    print_differences(changed)
    for _, point in points:
        _make_folder(point)
    several = isinstance(original, SweepRecord) or len(points) > 1
    folder = points[0][1].folder.parent if several else points[0][1].folder
    if several:
        execute([point for _, point in points], folder, words=["rerun", *words])
    else:
        with contextlib.suppress(KeyboardInterrupt):  # its status says so
            execute_alone(points[0][1])
    outcomes = [_outcome(record, point) for record, point in points]
    content: RerunJson = {
        "of": original.record.get("id"),
        "differences": changed,
        "points": outcomes,
        "in_turn": [one.record() for one in _in_turn(points)],
    }
    write_atomically(folder / "rerun.json", lambda file: print(json.dumps(content, indent=1), file=file))
    amend_manifest(folder, "rerun.json")
    print_agreement(outcomes)
    print_in_turn(content["in_turn"])
    return exit_status.current()


def _in_turn(points: Sequence[tuple[PointRecord, Point]]) -> list[Comparison]:
    """Each changed point against the same point as recorded, in the metric of the sweep; all of them share the level.

    None of a race, in which a point may have dropped out in the very round in which it was unlucky.
    """
    pairs = [(old, new) for (record, old), (same, new) in pairwise(points) if record is same]
    if not pairs or points[0][1].config.protocol.race:
        return []
    primary = points[0][1].config.objectives[0]
    compared = []
    for old, new in pairs:
        sides = [Side(point.label, point.trials, point.host) for point in (new, old)]
        compared += [
            one for one in compare_points(sides[:1], sides[1], comparisons=len(pairs), primary=primary) if one.metric == primary
        ]
    return compared


def _outcome(record: PointRecord, point: Point) -> RepeatedPoint:
    recorded = {trial["digest"] for trial in record.record["trials"] if trial["digest"] is not None}
    same_results = recorded == point.digests if recorded and point.digests else None
    return {
        "name": record.label if record.record["config_hash"] == point.hash else point.label,
        "same_configuration": record.record["config_hash"] == point.hash,
        "same_results": same_results,
        "metrics": [metric.record() for metric in agreement(record.record["metrics"], point.metrics)],
    }


@contextlib.contextmanager
def in_the_folder_of(record: PointRecord) -> Iterator[None]:
    """Change to the folder in which the record was made, if it exists, because paths may be relative to it. Own code is looked for where the user is."""
    then, now = record.record["environment"].get("folder"), Path.cwd()
    if isinstance(then, str) and Path(then).is_dir():
        os.chdir(then)
    try:
        with own_code_from(now):
            yield
    finally:
        os.chdir(now)


def _make_folder(point: Point) -> None:
    """Make the point's folder, with the files that Hydra would have written into it."""
    hydra = point.folder / ".hydra"
    make_folder(hydra)
    from runner.config.plain import plain

    config = OmegaConf.to_yaml(OmegaConf.create(masked_data(plain(point.config))))
    write_atomically(hydra / "config.yaml", lambda file: print(config, file=file, end=""))
    overrides = OmegaConf.to_yaml(OmegaConf.create([masked_override(word) for word in point.overrides]))
    write_atomically(hydra / "overrides.yaml", lambda file: print(overrides, file=file, end=""))
