"""Goes on with points that were measured before: what their records hold, what is tried again, what is not comparable any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from runner.errors import ConfigurationError
from runner.host.environment import Difference, differences, matters
from runner.pipeline.sources import Image
from runner.record.point_schema import ImageRecord, ResultJson
from runner.record.reading import RESULT, read_result, was_cut_short, was_interrupted
from runner.record.trial_schema import TrialRecord
from runner.record.writing import PointFolder
from runner.sweeps.images import settle
from runner.sweeps.point import Point, complete

# Errors of trials that were ended by something outside of them; they are tried again.
_FROM_OUTSIDE = frozenset({"TrialKilled", "ForkServerEnded", "StorageError", "ImagesReplaced"})

# Signals by which a process ends that has itself gone wrong.
_OWN_FAULTS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS")


def restore(point: Point) -> ResultJson | None:
    """Take over the trials that an earlier run has recorded in the point's folder, but for a last one that was killed from outside.

    Returns the record; None where there is none.

    Raises:
        ConfigurationError: the folder has a record of another configuration.
        RunnerError: its record cannot be read.
    """
    record = _on_disk(point)
    if record is not None:
        point.trials = [trial for trial in record["trials"] if not ended_from_outside(trial)]
        point.id = record.get("id", point.id)
        point.findings = record["environment"].get("findings")
        point.running = was_cut_short(record)  # also where nothing was missing but the last word
    return record


def take_over(point: Point) -> None:
    """Take over everything that another process has recorded in the folder: trials, images, environment, warnings.

    Raises:
        ConfigurationError: the folder has a record of another configuration.
        RunnerError: its record cannot be read.
    """
    record = _on_disk(point)
    if record is None:
        return
    point.trials, point.id, point.recorded = record["trials"], record.get("id", point.id), record
    point.interrupted = was_interrupted(record)
    point.images = [
        Image(image["path"], "other", image["width"], image["height"], image["sha256"]) for image in record["images"]
    ]


def resume(points: Sequence[Point], tell: Callable[[str], None]) -> None:
    """Restore points that are measured together. Where they were measured under other conditions, their trials are set aside.

    Trials of other images, another host or other versions make no pairs with new ones, and no median: all points begin anew then, and
    what there was lies in ``set_aside/`` of each point's folder. Points that have nothing left to measure stay as they are.

    Args:
        points: of one sweep, with the baseline's duplicate.
        tell: is given what differs, and what is tried again.

    Raises:
        RunnerError: a record cannot be read, or cannot be moved.
    """
    records = [restore(point) for point in points]
    if all(record is not None and _ended(point, record) for point, record in zip(points, records, strict=True)):
        return
    differing: dict[str, Difference] = {}
    for point, record in zip(points, records, strict=True):
        if record is not None and record["trials"]:
            differing |= {one["what"]: one for one in _differences(point, record)}
        if record is not None and len(point.trials) < len(record["trials"]):
            tell(f"{point.label}: {_killed(record)}; it is tried again")
    if not differing:
        return
    tell(f"Not measured as before: {'; '.join(map(_shown, differing.values()))}")
    if not any(matters(one) for one in differing.values()):
        return
    for point in points:
        if point.trials:
            where = PointFolder(point.folder).set_aside(list(differing.values()))
            tell(f"{point.label}: {len(point.trials)} rounds are set aside and measured again; they are in {where}")
            point.trials = []


def resume_alone(point: Point, tell: Callable[[str], None]) -> None:
    """The same for a point by itself, which keeps the number of images that was found when it was begun.

    Raises:
        RunnerError: its record cannot be read, or cannot be moved.
    """
    if os.path.lexists(point.folder / RESULT):
        settle([point], read_result(point.folder / RESULT)["config"]["images"])
    resume([point], tell)


def ended_from_outside(trial: TrialRecord) -> bool:
    """Whether something outside of the trial ended it: a signal that is no sign of a fault, a full disk, images that were replaced."""
    error = trial["error"]
    if error is None or error["type"] not in _FROM_OUTSIDE:
        return False
    return not any(signal in error["message"] for signal in _OWN_FAULTS)


def _on_disk(point: Point) -> ResultJson | None:
    path = point.folder / RESULT
    if not os.path.lexists(path):
        return None
    record = read_result(path)
    if record["config_hash"] != point.hash:
        raise ConfigurationError("resume", point.folder, "holds another configuration", f"a point with the hash {point.hash}")
    return record


def _ended(point: Point, record: ResultJson) -> bool:
    return complete(point) and not was_cut_short(record)


def _differences(point: Point, record: ResultJson) -> Iterator[Difference]:
    yield from differences(record["environment"], point.environment())
    yield from other_images(point.label, record["images"], point.images)


def other_images(label: str, before: Sequence[ImageRecord], images: Sequence[Image]) -> Iterator[Difference]:
    """That the images are not those of the record of a point, if they are not."""
    then, now = [image["sha256"] for image in before], [image.digest for image in images]
    if then != now:
        other = sum(one != two for one, two in zip(then, now, strict=False)) + abs(len(then) - len(now))
        yield {
            "what": f"images of {label}",
            "then": f"{len(then)} images",
            "now": f"{len(now)} images, {other} of them other",
        }


def _killed(record: ResultJson) -> str:
    trial = next(trial for trial in record["trials"] if ended_from_outside(trial))
    return f"round {trial['round']}: {trial['error']['message'] if trial['error'] else ''}"


def _shown(one: Difference) -> str:
    then, now = ("nothing" if side is None else side for side in (one["then"], one["now"]))
    return f"{one['what']} was {then} and is {now}"
